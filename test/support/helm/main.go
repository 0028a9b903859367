// Renders a Helm chart's templates as `helm template` does, with Go's own text/template, which is what Helm renders
// with, and those of Helm's functions that our chart uses: a test-only substitute where there is no Helm. A template
// that uses any other function fails to parse. It reads {"values": …, "namespace": …, "templates": {name: text}}, and prints
// {name: text}.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type input struct {
	Values    map[string]interface{}
	Namespace string
	Templates map[string]string
}

// JSON is YAML too, on one line; Helm's own prints blocks.
func toYaml(value interface{}) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

func indent(count int, text string) string {
	space := strings.Repeat(" ", count)
	return space + strings.ReplaceAll(text, "\n", "\n"+space)
}

func dict(pairs ...interface{}) map[string]interface{} {
	made := map[string]interface{}{}
	for at := 0; at+1 < len(pairs); at += 2 {
		made[fmt.Sprint(pairs[at])] = pairs[at+1]
	}
	return made
}

func render(read input) (map[string]string, error) {
	// Helm lets a value that is not there pass as nothing; here it is a slip of the template's.
	all := template.New("chart").Option("missingkey=error")
	all.Funcs(template.FuncMap{
		"toYaml":  toYaml,
		"dict":    dict,
		"quote":   func(value interface{}) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"nindent": func(count int, text string) string { return "\n" + indent(count, text) },
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
	})
	for name, text := range read.Templates {
		if _, err := all.New(name).Parse(text); err != nil {
			return nil, err
		}
	}
	data := map[string]interface{}{
		"Values":  read.Values,
		"Release": map[string]interface{}{"Namespace": read.Namespace, "Name": "mtls-ingress"},
	}
	rendered := map[string]string{}
	for name := range read.Templates {
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, data); err != nil {
			return nil, err
		}
		rendered[name] = out.String()
	}
	return rendered, nil
}

func main() {
	var read input
	err := json.NewDecoder(os.Stdin).Decode(&read)
	var rendered map[string]string
	if err == nil {
		rendered, err = render(read)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(rendered)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
