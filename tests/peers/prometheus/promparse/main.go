// Promparse reads metrics in Prometheus' text format from stdin, by Prometheus' own parser, and writes as JSON which metric
// families there are and what Prometheus' linter finds wrong with them.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

type family struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Help string `json:"help"`
	// The sets of label names that its series have, each sorted and joined by commas.
	Labels []string            `json:"labels"`
	Values map[string][]string `json:"values"`
	Series int                 `json:"series"`
}

type report struct {
	Families []family `json:"families"`
	Problems []string `json:"problems"`
}

func main() {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := parser.TextToMetricFamilies(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "promparse:", err)
		os.Exit(1)
	}
	found := report{Families: []family{}, Problems: []string{}}
	var all []*dto.MetricFamily
	for _, name := range slices.Sorted(maps.Keys(parsed)) {
		all = append(all, parsed[name])
		found.Families = append(found.Families, describe(parsed[name]))
	}
	problems, err := promlint.NewWithMetricFamilies(all).Lint()
	if err != nil {
		fmt.Fprintln(os.Stderr, "promparse:", err)
		os.Exit(1)
	}
	for _, problem := range problems {
		found.Problems = append(found.Problems, problem.Metric+": "+problem.Text)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, "promparse:", err)
		os.Exit(1)
	}
}

func describe(parsed *dto.MetricFamily) family {
	sets := map[string]bool{}
	values := map[string][]string{}
	for _, metric := range parsed.GetMetric() {
		var names []string
		for _, label := range metric.GetLabel() {
			names = append(names, label.GetName())
			if !slices.Contains(values[label.GetName()], label.GetValue()) {
				values[label.GetName()] = append(values[label.GetName()], label.GetValue())
			}
		}
		slices.Sort(names)
		sets[strings.Join(names, ",")] = true
	}
	return family{
		Name:   parsed.GetName(),
		Type:   strings.ToLower(parsed.GetType().String()),
		Help:   parsed.GetHelp(),
		Labels: slices.Sorted(maps.Keys(sets)),
		Values: values,
		Series: len(parsed.GetMetric()),
	}
}
