// The CP-ABE of Cloudflare's circl, tkn20 (Tomida, Kawahara, Nishimaki, PKC 2021, over BLS12-381): the one peer with
// policies that is secure against chosen ciphertexts.
//
// `circl RUNS BUDGET_MS STOP_MS POLICY..` prints `peer metric policy value unit`; run it with GOMAXPROCS=1. A policy is
// and<n> or mixed10; seal and open carry 32 bytes, and seal includes reading the policy's text. Sizes are of circl's
// own binary form, whose points are uncompressed.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/cloudflare/circl/abe/cpabe/tkn20"
)

const peer = "circl-tkn20"

// secret is what is sealed: as long as a data key.
var secret = bytes.Repeat([]byte{7}, 32)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "circl:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	bounds, names, err := limitsFrom(arguments)
	if err != nil {
		return err
	}
	slowest := 0.0
	for _, name := range names {
		if slowest > bounds.stopMs {
			fmt.Fprintf(os.Stderr, "%s %s: left out, the point before took %.0f ms\n", peer, name, slowest)
			continue
		}
		one, err := named(name)
		if err != nil {
			return err
		}
		if slowest, err = measure(bounds, one); err != nil {
			return err
		}
	}
	return nil
}

// measure returns the milliseconds of the slowest operation.
func measure(bounds limits, one policy) (float64, error) {
	public, master, err := tkn20.Setup(nil)
	if err != nil {
		return 0, err
	}
	var held tkn20.Attributes
	held.FromMap(one.held)
	key, issues, err := sample(bounds, func() (tkn20.AttributeKey, error) { return master.KeyGen(nil, held) })
	if err != nil {
		return 0, err
	}
	sealed, seals, err := sample(bounds, func() ([]byte, error) {
		var read tkn20.Policy
		if err := read.FromString(one.text); err != nil {
			return nil, err
		}
		return public.Encrypt(nil, read, secret)
	})
	if err != nil {
		return 0, err
	}
	opened, opens, err := sample(bounds, func() ([]byte, error) { return key.Decrypt(sealed) })
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(opened, secret) {
		return 0, errors.New("opened to something else than was sealed")
	}
	keyBytes, err := key.MarshalBinary()
	if err != nil {
		return 0, err
	}
	fmt.Printf("%s key %s %d B\n%s ciphertext %s %d B\n", peer, one.name, len(keyBytes), peer, one.name, len(sealed))
	return max(show("issue", one.name, issues), show("seal", one.name, seals), show("open", one.name, opens)), nil
}
