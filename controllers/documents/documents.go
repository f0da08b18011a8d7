// SPDX-License-Identifier: Apache-2.0

// Package documents reads manifests: TarsBackends, which it takes or refuses as
// the API server would, and the objects around them.
package documents

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"strings"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers/desired"
)

// Stdin is the file name that stands for standard input.
const Stdin = "-"

var (
	kindTarsBackend = v1alpha1.SchemeGroupVersion.WithKind("TarsBackend")
	kindSecret      = corev1.SchemeGroupVersion.WithKind("Secret")
	kindConfigMap   = corev1.SchemeGroupVersion.WithKind("ConfigMap")
	kindNamespace   = corev1.SchemeGroupVersion.WithKind("Namespace")

	kindExtensionPolicy = egv1a1.GroupVersion.WithKind(egv1a1.KindEnvoyExtensionPolicy)
)

// namedKind is a kind of objects that a TarsBackend names, directly or not, or
// that is made of it and stays in part as it is.
type namedKind struct {
	namespaced bool
	// empty is an object to read into.
	empty func() client.Object
}

// named are all such kinds. Objects of other kinds are passed over.
func named() map[schema.GroupVersionKind]namedKind {
	gateways := schema.GroupVersion(gatewayv1.GroupVersion)
	return map[schema.GroupVersionKind]namedKind{
		gateways.WithKind("Gateway"):      {true, func() client.Object { return &gatewayv1.Gateway{} }},
		gateways.WithKind("GatewayClass"): {false, func() client.Object { return &gatewayv1.GatewayClass{} }},
		kindExtensionPolicy:               {true, func() client.Object { return &egv1a1.EnvoyExtensionPolicy{} }},
		kindSecret:                        {true, func() client.Object { return &corev1.Secret{} }},
		kindConfigMap:                     {true, func() client.Object { return &corev1.ConfigMap{} }},
		kindNamespace:                     {false, func() client.Object { return &corev1.Namespace{} }},
	}
}

// Set is what was read; it is a source for surveys.
type Set struct {
	// Backends are in the order of the files, with the defaults of the CRD.
	Backends []*v1alpha1.TarsBackend

	objects map[identity]map[string]any
}

type identity struct {
	kind schema.GroupKind
	name types.NamespacedName
}

// Reader reads files into a Set.
type Reader struct {
	// Stdin is what the file "-" stands for.
	Stdin io.Reader
	// Namespace is that of objects that name none.
	Namespace string
}

// Read reads all files. The error says everything that is wrong with any of
// them, each thing with its file, object and field.
func (r Reader) Read(ctx context.Context, files []string) (*Set, error) {
	set := &Set{objects: map[identity]map[string]any{}}
	var problems []error
	for _, file := range files {
		data, err := r.content(file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, r.readFile(ctx, set, source{file, data})...)
	}
	if len(set.Backends) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("no TarsBackend (%s) in %s", v1alpha1.SchemeGroupVersion, strings.Join(files, ", ")))
	}
	return set, errors.Join(problems...)
}

func (r Reader) content(file string) ([]byte, error) {
	if file == Stdin {
		data, err := io.ReadAll(r.Stdin)
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(file) //nolint:gosec // the files are the caller's choice
	if err != nil {
		return nil, fmt.Errorf("reading a file: %w", err)
	}
	return data, nil
}

// source is a file and what it holds.
type source struct {
	name    string
	content []byte
}

// readFile reads the documents of one file.
func (r Reader) readFile(ctx context.Context, set *Set, from source) []error {
	file := from.name
	var problems []error
	stream := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(from.content)))
	for number := 1; ; number++ {
		document, err := stream.Read()
		if errors.Is(err, io.EOF) {
			return problems
		}
		if err != nil {
			return append(problems, fmt.Errorf("%s: %w", file, err))
		}
		content, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s, document %d: %w", file, number, err))
			continue
		}
		var fields map[string]any
		if err := json.Unmarshal(content, &fields); err != nil {
			problems = append(problems, fmt.Errorf("%s, document %d: it is no object", file, number))
			continue
		}
		for _, obj := range flatten(fields) {
			if err := r.add(ctx, set, obj); err != nil {
				problems = append(problems, inFile(fmt.Sprintf("%s: %s %s", file, obj.GetKind(), nameOf(obj)), err)...)
			}
		}
	}
}

// inFile says of each problem where it is.
func inFile(where string, err error) []error {
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, fmt.Errorf("%s: %w", where, one))
		}
		return all
	}
	return append(all, fmt.Errorf("%s: %w", where, err))
}

// flatten is the objects of a document: none of an empty one, several of a
// list as kubectl prints it.
func flatten(fields map[string]any) []*unstructured.Unstructured {
	if len(fields) == 0 {
		return nil
	}
	obj := &unstructured.Unstructured{Object: fields}
	items, isList := fields["items"].([]any)
	if !isList || !strings.HasSuffix(obj.GetKind(), "List") {
		return []*unstructured.Unstructured{obj}
	}
	var objects []*unstructured.Unstructured
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			objects = append(objects, flatten(fields)...)
		}
	}
	return objects
}

func nameOf(obj *unstructured.Unstructured) string {
	return strings.TrimPrefix(obj.GetNamespace()+"/"+obj.GetName(), "/")
}

// add takes one object in, if it is of a kind that matters.
func (r Reader) add(ctx context.Context, set *Set, obj *unstructured.Unstructured) error {
	kind := obj.GroupVersionKind()
	expected, known := named()[kind]
	switch {
	case kind == kindTarsBackend:
		expected.namespaced = true
	case kind.Group == kindTarsBackend.Group:
		return fmt.Errorf("apiVersion, kind: %s %s is not known: write apiVersion: %s, kind: %s",
			obj.GetAPIVersion(), obj.GetKind(), kindTarsBackend.GroupVersion(), kindTarsBackend.Kind)
	case !known, kind == kindExtensionPolicy && !desired.IsChild(obj):
		return nil
	}
	switch {
	case !expected.namespaced:
		obj.SetNamespace("")
	case obj.GetNamespace() == "":
		obj.SetNamespace(r.Namespace)
	}
	id := identity{kind.GroupKind(), client.ObjectKeyFromObject(obj)}
	if _, twice := set.objects[id]; twice {
		return errors.New("the files hold it twice: remove one")
	}
	set.objects[id] = obj.Object
	switch kind {
	case kindTarsBackend:
		return set.addTarsBackend(ctx, obj)
	case kindSecret:
		return completeSecret(obj.Object)
	default:
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, expected.empty()); err != nil {
			return fmt.Errorf("reading it: %w", err)
		}
		return nil
	}
}

func (s *Set) addTarsBackend(ctx context.Context, obj *unstructured.Unstructured) error {
	check, err := newChecker()
	if err != nil {
		return err
	}
	if err := check.admit(ctx, obj.Object); err != nil {
		return err
	}
	backend := &v1alpha1.TarsBackend{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, backend); err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	s.Backends = append(s.Backends, backend)
	return nil
}

// completeSecret does what the API server does: stringData becomes data, and
// the type Opaque. Errors say nothing of the content.
func completeSecret(obj map[string]any) error {
	secret := &corev1.Secret{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj, secret); err != nil {
		return errors.New("it is no Secret: values of data must be base64, values of stringData plain text")
	}
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque
	}
	for key, value := range secret.StringData {
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[key] = []byte(value)
	}
	secret.StringData = nil
	complete, err := runtime.DefaultUnstructuredConverter.ToUnstructured(secret)
	if err != nil {
		return errors.New("it is no Secret")
	}
	clear(obj)
	maps.Copy(obj, complete)
	return nil
}

// Get reads one of the objects, as from an API server that holds nothing else.
func (s *Set) Get(_ context.Context, name client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kind := into.GetObjectKind().GroupVersionKind().GroupKind()
	for known, k := range named() {
		if reflect.TypeOf(into) == reflect.TypeOf(k.empty()) {
			kind = known.GroupKind()
		}
	}
	fields, ok := s.objects[identity{kind, name}]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, name.Name)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, into); err != nil {
		return fmt.Errorf("reading %s %s: %w", kind.Kind, name, err)
	}
	return nil
}

// Unseen says that what the files do not hold may exist elsewhere.
func (s *Set) Unseen(kind string, name types.NamespacedName) string {
	for known := range named() {
		if _, held := s.objects[identity{known.GroupKind(), name}]; held && known.Kind == kind {
			return ""
		}
	}
	return "is not in the files"
}

// TarsBackends are those of the files: they may be in each other's way.
func (s *Set) TarsBackends(context.Context, *gatewayv1.Gateway) ([]v1alpha1.TarsBackend, error) {
	backends := make([]v1alpha1.TarsBackend, 0, len(s.Backends))
	for _, b := range s.Backends {
		backends = append(backends, *b)
	}
	return backends, nil
}
