package xml

import "testing"

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(strange)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strange); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	n := Classic("default")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(n); err != nil {
			b.Fatal(err)
		}
	}
}
