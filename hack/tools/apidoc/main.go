// SPDX-License-Identifier: Apache-2.0

// Command apidoc writes the reference of an API as Markdown: every field of a
// CRD with its type, default, bounds and rules, in the words of the CRD.
//
//	apidoc <CRD.yaml >api.md
package main

import (
	"fmt"
	"io"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading the CRD: %w", err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(data, crd); err != nil {
		return fmt.Errorf("parsing the CRD: %w", err)
	}
	if len(crd.Spec.Versions) != 1 {
		return fmt.Errorf("the CRD has %d versions; this program knows how to document one", len(crd.Spec.Versions))
	}
	if _, err := io.WriteString(out, render(crd)); err != nil {
		return fmt.Errorf("writing the reference: %w", err)
	}
	return nil
}
