package main

import (
	"maps"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// A metric that an expression reads, and what it says of the metric's labels.
type selector struct {
	Metric string `json:"metric"`
	// Labels that the metric's series need to have: those matched here, and those that operators around it name.
	Labels   []string  `json:"labels"`
	Matchers []matcher `json:"matchers"`
}

type matcher struct {
	Label string `json:"label"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

func selectorsOf(expr parser.Expr) []selector {
	found := []selector{}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		if read, ok := node.(*parser.VectorSelector); ok {
			found = append(found, describe(read, path))
		}
		return nil
	})
	return found
}

func describe(read *parser.VectorSelector, path []parser.Node) selector {
	shown := selector{Metric: read.Name, Matchers: []matcher{}}
	named := map[string]bool{}
	for _, each := range read.LabelMatchers {
		if each.Name != labels.MetricName {
			named[each.Name] = true
			shown.Matchers = append(shown.Matchers, matcher{each.Name, each.Type.String(), each.Value})
		}
	}
	for _, around := range path {
		for _, name := range namedBy(around) {
			named[name] = true
		}
	}
	shown.Labels = append([]string{}, slices.Sorted(maps.Keys(named))...)
	return shown
}

// The labels that an operator needs on both of its sides, or keeps.
func namedBy(operator parser.Node) []string {
	switch each := operator.(type) {
	case *parser.AggregateExpr:
		return each.Grouping
	case *parser.BinaryExpr:
		if each.VectorMatching != nil {
			return each.VectorMatching.MatchingLabels
		}
	}
	return nil
}
