package services

import "testing"

// BenchmarkRead reads this machine, the ordinary case without managers.
func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		Read(b.Context(), Options{})
	}
}
