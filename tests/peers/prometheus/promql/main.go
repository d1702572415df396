// Promql reads metrics, rules and queries as JSON from stdin and writes as JSON what Prometheus' own rule checker, parser and
// query engine make of them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
)

type request struct {
	// The text of a rules file.
	Rules     string     `json:"rules"`
	Scrapes   []scrape   `json:"scrapes"`
	Series    []notation `json:"series"`
	Queries   []query    `json:"queries"`
	Templates []text     `json:"templates"`
}

// What a target showed at a time, in seconds, and the labels that Prometheus gives the target.
type scrape struct {
	Time   float64           `json:"time"`
	Labels map[string]string `json:"labels"`
	Text   string            `json:"text"`
}

// A series in the notation of Prometheus' rule tests, from second 0 on, each Interval seconds.
type notation struct {
	Text     string  `json:"text"`
	Interval float64 `json:"interval"`
}

// A query over a range, in seconds; with step 0 it is only parsed.
type query struct {
	Expr  string  `json:"expr"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Step  float64 `json:"step"`
}

// An annotation of an alert with these labels and this value.
type text struct {
	Text   string            `json:"text"`
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

type answer struct {
	RuleErrors []string `json:"ruleErrors"`
	Results    []result `json:"results"`
	Texts      []string `json:"texts"`
}

type result struct {
	Selectors []selector `json:"selectors"`
	Series    []series   `json:"series"`
}

type series struct {
	Labels map[string]string `json:"labels"`
	// Pairs of a time in seconds and a value as text, which may be NaN or +Inf.
	Samples [][2]string `json:"samples"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "promql:", err)
		os.Exit(1)
	}
}

func run() error {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	reader := parser.NewParser(parser.Options{})
	data, err := read(asked, reader)
	if err != nil {
		return err
	}
	found := answer{RuleErrors: []string{}, Results: []result{}, Texts: []string{}}
	silent := slog.New(slog.DiscardHandler)
	if _, errs := rulefmt.Parse([]byte(asked.Rules), false, model.LegacyValidation, reader, silent); errs != nil {
		for _, each := range errs {
			found.RuleErrors = append(found.RuleErrors, each.Error())
		}
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 10_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true,
	})
	for _, each := range asked.Queries {
		answered, err := answerTo(each, reader, engine, data)
		if err != nil {
			return fmt.Errorf("%s: %w", each.Expr, err)
		}
		found.Results = append(found.Results, answered)
	}
	for _, each := range asked.Templates {
		expanded, err := expand(each)
		if err != nil {
			return fmt.Errorf("%s: %w", each.Text, err)
		}
		found.Texts = append(found.Texts, expanded)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func answerTo(asked query, reader parser.Parser, engine *promql.Engine, data memory) (result, error) {
	expr, err := reader.ParseExpr(asked.Expr)
	if err != nil {
		return result{}, err
	}
	found := result{Selectors: selectorsOf(expr), Series: []series{}}
	if asked.Step == 0 {
		return found, nil
	}
	step := time.Duration(asked.Step * float64(time.Second))
	prepared, err := engine.NewRangeQuery(context.Background(), data, nil, asked.Expr, at(asked.Start), at(asked.End), step)
	if err != nil {
		return found, err
	}
	defer prepared.Close()
	matrix, err := prepared.Exec(context.Background()).Matrix()
	if err != nil {
		return found, err
	}
	for _, each := range matrix {
		shown := series{Labels: each.Metric.Map(), Samples: [][2]string{}}
		for _, point := range each.Floats {
			shown.Samples = append(shown.Samples, [2]string{number(float64(point.T) / 1000), number(point.F)})
		}
		found.Series = append(found.Series, shown)
	}
	return found, nil
}

// Expand refuses labels that the alert does not have, where Prometheus would write nothing.
func expand(asked text) (string, error) {
	data := template.AlertTemplateData(asked.Labels, nil, "", promql.Sample{F: asked.Value})
	variables := "{{$labels := .Labels}}{{$value := .Value}}"
	none := func(context.Context, string, time.Time) (promql.Vector, error) { return nil, nil }
	options := []string{"missingkey=error"}
	return template.NewTemplateExpander(context.Background(), variables+asked.Text, "annotation", data, 0, none, nil, options).Expand()
}

func at(seconds float64) time.Time {
	return time.UnixMilli(int64(math.Round(seconds * 1000)))
}

func number(value float64) string {
	return strconv.FormatFloat(value, 'g', -1, 64)
}
