package main

import (
	"fmt"
	"strconv"
	"strings"
)

// policy is one of the benchmark's, in tkn20's words.
type policy struct {
	name string            // and<n> or mixed10
	text string            // tkn20's language
	held map[string]string // every attribute that the policy names: what the key holds
}

// named makes and<n>, n distinct attributes that are all needed, or mixed10, ten of them under both gates.
func named(name string) (policy, error) {
	size, text := 10, ""
	if name == "mixed10" {
		text = mixed()
	} else {
		digits, isAnd := strings.CutPrefix(name, "and")
		parsed, err := strconv.Atoi(digits)
		if !isAnd || err != nil || parsed < 1 {
			return policy{}, fmt.Errorf("`%s` is no policy: give and<n> or mixed10", name)
		}
		size, text = parsed, all(0, parsed)
	}
	held := make(map[string]string, size)
	for index := range size {
		held[attribute(index)] = "yes"
	}
	return policy{name, text, held}, nil
}

func attribute(index int) string { return fmt.Sprintf("a%03d", index) }

func leaf(index int) string { return attribute(index) + ": yes" }

// all is a balanced tree: tkn20's gates have two children.
func all(from, count int) string {
	if count < 2 {
		return leaf(from)
	}
	half := count / 2
	return both(all(from, half), all(from+half, count-half))
}

func both(left, right string) string { return "(" + left + " and " + right + ")" }

func either(left, right string) string { return "(" + left + " or " + right + ")" }

// mixed is ((a0&a1 | a2&a3&a4) & (a5 | a6&a7)) & (a8|a9).
func mixed() string {
	left := either(all(0, 2), all(2, 3))
	middle := either(leaf(5), all(6, 2))
	return both(both(left, middle), either(leaf(8), leaf(9)))
}
