package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// limits bounds one point.
type limits struct {
	runs   int           // runs of an operation at most
	budget time.Duration // no further run begins after this long; one always does
	stopMs float64       // after a point slower than this, the larger ones are left out
}

// limitsFrom splits RUNS BUDGET_MS STOP_MS POLICY...
func limitsFrom(arguments []string) (limits, []string, error) {
	usage := errors.New("usage: RUNS BUDGET_MS STOP_MS POLICY..")
	if len(arguments) < 3 {
		return limits{}, nil, usage
	}
	runs, runsErr := strconv.Atoi(arguments[0])
	budget, budgetErr := strconv.Atoi(arguments[1])
	stop, stopErr := strconv.ParseFloat(arguments[2], 64)
	if errors.Join(runsErr, budgetErr, stopErr) != nil || runs < 1 {
		return limits{}, nil, usage
	}
	return limits{runs, time.Duration(budget) * time.Millisecond, stop}, arguments[3:], nil
}

// sample runs and times it; it returns what it made last, and the microseconds of every run.
func sample[T any](bounds limits, work func() (T, error)) (made T, times []float64, err error) {
	begin := time.Now()
	for {
		start := time.Now()
		made, err = work()
		times = append(times, float64(time.Since(start).Nanoseconds())/1e3)
		if err != nil || len(times) >= bounds.runs || time.Since(begin) >= bounds.budget {
			return made, times, err
		}
	}
}

// show prints the line of the best run and returns it in milliseconds.
func show(metric, policy string, times []float64) float64 {
	best := slices.Min(times)
	fmt.Printf("%s %s %s %.1f us\n", peer, metric, policy, best)
	return best / 1e3
}
