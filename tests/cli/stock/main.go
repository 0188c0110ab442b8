// Reads what cairn wrote with the packages that others read checkpoints with, and writes a cosignature for cairn to read.
//
// In the directory that is the argument:
//
//     cosigned.txt    a checkpoint, signed by its log and by two witnesses
//     keys.txt        the verifier keys: of the log, of the witnesses
//     policy.txt      a policy that it meets
//     blocks.txt      the hashes of all blocks in hex, from height 0
//     request.txt     what a witness is asked: a consistency proof, and a checkpoint
//     path.txt        a height, then an inclusion path of base64 hashes
//     go.txt          written: the checkpoint with a cosignature more
//     go-key.txt      written: the key of that cosignature
package main

import (
    "bytes"
    "crypto/rand"
    "encoding/base64"
    "encoding/hex"
    "fmt"
    "os"
    "path/filepath"
    "strconv"
    "strings"

    flog "github.com/transparency-dev/formats/log"
    fnote "github.com/transparency-dev/formats/note"
    "github.com/transparency-dev/formats/witness"
    "github.com/transparency-dev/merkle/proof"
    "github.com/transparency-dev/merkle/rfc6962"
    "golang.org/x/mod/sumdb/note"
    "golang.org/x/mod/sumdb/tlog"
)

func main() {
    dir := os.Args[1]
    read := func(name string) []byte { return must(os.ReadFile(filepath.Join(dir, name))) }
    cosigned := read("cosigned.txt")
    keys := lines(read("keys.txt"))
    log := must(note.NewVerifier(keys[0]))
    witnesses := []note.Verifier{
        must(fnote.NewVerifierForCosignatureV1(keys[1])),
        must(fnote.NewVerifierForCosignatureV1(keys[2])),
    }
    all := append([]note.Verifier{log}, witnesses...)

    checkpoint := signatures(cosigned, log, witnesses, all)
    policy := must(witness.ParsePolicy(read("policy.txt")))
    check(policy.Satisfied(cosigned), "the policy is met")

    hashes := tree(lines(read("blocks.txt")))
    size, root := int64(checkpoint.Size), tlog.Hash(checkpoint.Hash)
    check(must(tlog.TreeHash(size, hashes)) == root, "the root is that of the block hashes")
    consistency(read("request.txt"), hashes)
    inclusion(lines(read("path.txt")), size, root, lines(read("blocks.txt")))

    skey, vkey, err := note.GenerateKey(rand.Reader, "go.example/w")
    check(err == nil, "a key")
    signer := must(fnote.NewSignerForCosignatureV1(skey))
    opened := must(note.Open(cosigned, note.VerifierList(all...)))
    more := must(note.Sign(opened, signer))
    check(os.WriteFile(filepath.Join(dir, "go.txt"), more, 0o600) == nil, "go.txt")
    key := must(fnote.VKeyToCosignatureV1(vkey))
    check(os.WriteFile(filepath.Join(dir, "go-key.txt"), []byte(key), 0o600) == nil, "go-key.txt")
    fmt.Println("ok")
}

// All signatures verify, and none does once any byte of the text is another.
func signatures(cosigned []byte, log note.Verifier, witnesses, all []note.Verifier) *flog.Checkpoint {
    opened := must(note.Open(cosigned, note.VerifierList(all...)))
    check(len(opened.Sigs) == 3 && len(opened.UnverifiedSigs) == 0, "three signatures verify")
    for _, signature := range opened.Sigs[1:] {
        check(must(fnote.CoSigV1Timestamp(signature)).Unix() > 1_700_000_000, "the time of a cosignature")
    }
    text := bytes.Index(cosigned, []byte("\n\n"))
    for at := 0; at <= text; at++ {
        altered := bytes.Clone(cosigned)
        altered[at] ^= 1
        _, err := note.Open(altered, note.VerifierList(all...))
        check(err != nil, fmt.Sprintf("byte %d is signed", at))
    }
    checkpoint, rest, _, err := flog.ParseCheckpoint(cosigned, log.Name(), log, witnesses...)
    check(err == nil && len(rest) == 0, fmt.Sprintf("a checkpoint of the log's name: %v", err))
    return checkpoint
}

// The tree of sumdb over the block hashes.
func tree(blocks []string) tlog.HashReader {
    var stored []tlog.Hash
    reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
        found := make([]tlog.Hash, len(indexes))
        for place, index := range indexes {
            found[place] = stored[index]
        }
        return found, nil
    })
    for height, block := range blocks {
        more := must(tlog.StoredHashes(int64(height), must(hex.DecodeString(block)), reader))
        stored = append(stored, more...)
    }
    return reader
}

// The proof of a request goes on from the tree of its old size to the checkpoint.
func consistency(request []byte, hashes tlog.HashReader) {
    head, body, found := bytes.Cut(request, []byte("\n\n"))
    check(found, "a request has an empty line")
    first := lines(head)
    old := must(strconv.ParseInt(strings.TrimPrefix(first[0], "old "), 10, 64))
    var treeProof tlog.TreeProof
    var raw [][]byte
    for _, line := range first[1:] {
        treeProof = append(treeProof, must(tlog.ParseHash(line)))
        raw = append(raw, must(base64.StdEncoding.DecodeString(line)))
    }
    var checkpoint flog.Checkpoint
    must(checkpoint.Unmarshal(body))
    size, root := int64(checkpoint.Size), tlog.Hash(checkpoint.Hash)
    oldRoot := must(tlog.TreeHash(old, hashes))
    check(len(treeProof) > 0, "the proof is one of something")
    check(tlog.CheckTree(treeProof, size, root, old, oldRoot) == nil, "sumdb takes the consistency proof")
    err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old), uint64(size), raw, oldRoot[:], root[:])
    check(err == nil, "merkle takes the consistency proof")
    treeProof[0][0] ^= 1
    check(tlog.CheckTree(treeProof, size, root, old, oldRoot) != nil, "an altered proof is refused")
}

func inclusion(path []string, size int64, root tlog.Hash, blocks []string) {
    height := must(strconv.ParseInt(path[0], 10, 64))
    var record tlog.RecordProof
    for _, line := range path[1:] {
        record = append(record, must(tlog.ParseHash(line)))
    }
    leaf := tlog.RecordHash(must(hex.DecodeString(blocks[height])))
    check(tlog.CheckRecord(record, size, root, height, leaf) == nil, "sumdb takes the inclusion proof")
}

func lines(text []byte) []string {
    return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}

func must[T any](value T, err error) T {
    check(err == nil, fmt.Sprint(err))
    return value
}

func check(holds bool, what string) {
    if !holds {
        panic("does not hold: " + what)
    }
}
