// Command component is what Kubernetes components make of a command line. "component log FLAGS" takes the log flags of the
// component base and logs the events that stand on stdin; "component values" reads values as flags do. Both read one JSON
// object a line.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/featuregate"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register"
	"k8s.io/klog/v2"
)

type event struct {
	Severity string
	Level    int
	Name     string
	Message  string
	Err      *string
	Fields   [][2]any
}

type value struct{ Kind, Text, Name string }

func main() {
	if len(os.Args) < 2 {
		log.Fatal("say log or values")
	}
	var err error
	switch os.Args[1] {
	case "log":
		err = logEvents(os.Args[2:])
	case "values":
		err = readValues()
	default:
		err = fmt.Errorf("%s: say log or values", os.Args[1])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		os.Exit(1)
	}
}

func logEvents(args []string) error {
	flags := pflag.NewFlagSet("component", pflag.ContinueOnError)
	flags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	gates := featuregate.NewFeatureGate()
	if err := logsapi.AddFeatureGates(gates); err != nil {
		return err
	}
	gates.AddFlag(flags)
	config := logsapi.NewLoggingConfiguration()
	logsapi.AddFlags(config, flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := logsapi.ValidateAndApply(config, gates); err != nil {
		return err
	}
	defer klog.Flush()
	return eachLine(func(event event) error {
		logger := klog.Background()
		if event.Name != "" {
			logger = logger.WithName(event.Name)
		}
		var pairs []any
		for _, field := range event.Fields {
			pairs = append(pairs, field[0], field[1])
		}
		switch {
		case event.Severity != "error":
			logger.V(event.Level).Info(event.Message, pairs...)
		case event.Err == nil:
			logger.Error(nil, event.Message, pairs...)
		default:
			logger.Error(errors.New(*event.Err), event.Message, pairs...)
		}
		return nil
	})
}

// readValues answers each line with {"value": …}, or with null when the text is no such value.
func readValues() error {
	return eachLine(func(asked value) error {
		read, err := readValue(asked)
		if err != nil {
			read = nil
		}
		answer, err := json.Marshal(read)
		if err == nil {
			_, err = fmt.Println(string(answer))
		}
		return err
	})
}

func readValue(asked value) (any, error) {
	switch asked.Kind {
	case "bool":
		return strconv.ParseBool(asked.Text)
	case "int":
		return strconv.ParseInt(asked.Text, 0, 64)
	case "level":
		return strconv.ParseUint(asked.Text, 10, 31)
	case "duration":
		duration, err := time.ParseDuration(asked.Text)
		return float64(duration) / float64(time.Millisecond), err
	case "quantity":
		quantity, err := resource.ParseQuantity(asked.Text)
		return quantity.Value(), err
	case "quote":
		return strconv.Quote(asked.Text), nil
	case "match":
		return filepath.Match(asked.Text, asked.Name)
	default:
		return nil, fmt.Errorf("unknown kind %q", asked.Kind)
	}
}

func eachLine[T any](do func(T) error) error {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			var item T
			if err := json.Unmarshal([]byte(line), &item); err != nil {
				return err
			}
			if err := do(item); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
