// Package journal keeps, on disk, how things were before every change, so that
// a change can be taken back later, also one that was cut off half-way.
//
// An [Entry] is written before the first step of a change ([Journal.Begin])
// and once more when it ended ([Journal.End]). What it keeps is an [Image]:
// the documents of the networks and interfaces and the attributes of the links
// that the change touches. The way back is planned from two images, the one
// that was kept and one of now ([Way]), so it leads home from wherever things
// stand. With the end of a change it keeps the networks as that left them:
// what others did to them since is no part of it ([Own]).
//
// It is not a lock on libvirt or on the kernel, and no history of what others
// did. It holds no connection: reading an image and taking a way are the
// caller's.
//
// Contract: one folder that nobody else may write to (made with 0700), with
// files that nobody else may read (0600, as documents may hold secrets). A file is written whole, synced and renamed, or
// not at all. [Journal.Lock] admits one kvnet per host to changes; the kernel
// frees the lock of a process that ends, however it ends, so an entry that
// began and has not ended while the lock is free was cut off ([HalfDone]).
//
// When it misbehaves: an entry is one JSON file, NNNNNN.json, and the file
// lock names the process that holds it.
package journal
