package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Series in memory, by their labels as text.
type memory map[string]*kept

type kept struct {
	labels  labels.Labels
	samples []chunks.Sample
}

func read(asked request, reader parser.Parser) (memory, error) {
	data := memory{}
	for _, each := range asked.Series {
		if err := data.addNotation(each, reader); err != nil {
			return nil, fmt.Errorf("%s: %w", each.Text, err)
		}
	}
	for _, each := range asked.Scrapes {
		if err := data.addScrape(each); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (data memory) add(of labels.Labels, seconds float64, value float64) {
	key := of.String()
	if data[key] == nil {
		data[key] = &kept{labels: of}
	}
	data[key].samples = append(data[key].samples, sample{int64(math.Round(seconds * 1000)), value})
}

func (data memory) addNotation(written notation, reader parser.Parser) error {
	of, values, err := reader.ParseSeriesDesc(written.Text)
	if err != nil {
		return err
	}
	for index, each := range values {
		if !each.Omitted {
			data.add(of, float64(index)*written.Interval, each.Value)
		}
	}
	return nil
}

func (data memory) addScrape(each scrape) error {
	text := expfmt.NewTextParser(model.LegacyValidation)
	families, err := text.TextToMetricFamilies(strings.NewReader(each.Text))
	if err != nil {
		return err
	}
	all := slices.Collect(maps.Values(families))
	decoded, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, all...)
	if err != nil {
		return err
	}
	for _, found := range decoded {
		of := labels.NewBuilder(labels.FromMap(each.Labels))
		for name, value := range found.Metric {
			of.Set(string(name), string(value))
		}
		data.add(of.Labels(), each.Time, float64(found.Value))
	}
	return nil
}

func (data memory) Querier(int64, int64) (storage.Querier, error) {
	return querier{storage.NoopQuerier(), data}, nil
}

type querier struct {
	storage.Querier
	data memory
}

func (from querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, key := range slices.Sorted(maps.Keys(from.data)) {
		each := from.data[key]
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(each.labels.Get(m.Name)) }) {
			found = append(found, storage.NewListSeries(each.labels, each.samples))
		}
	}
	return &set{found, -1}
}

type set struct {
	series []storage.Series
	index  int
}

func (s *set) Next() bool                        { s.index++; return s.index < len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.index] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// A time in milliseconds and a value.
type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
