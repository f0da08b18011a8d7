// SPDX-License-Identifier: Apache-2.0

// Package render is the command "tars-operator render": it prints the objects
// that the manager would make of a TarsBackend, without a cluster.
package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/controllers"
	"github.com/tars-operator/tars-operator/controllers/cli"
	"github.com/tars-operator/tars-operator/controllers/conditions"
	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/controllers/documents"
	"github.com/tars-operator/tars-operator/controllers/manager"
	"github.com/tars-operator/tars-operator/controllers/survey"
)

const (
	// PlaceholderKey stands in for the TARS key, which is never printed.
	PlaceholderKey = "the-TARS-key-is-not-rendered"
	// imageRepository is that of the operator's own image, without a tag.
	imageRepository = "ghcr.io/tars-operator/tars-operator"
)

const description = `Prints the objects that the manager makes of the TarsBackends in the given
files, as it applies them and in its order, without a cluster. The TarsBackends
are checked as the API server would check them.

What is not known without a cluster comes from further documents in the files
(Gateways, GatewayClasses, Namespaces, Secrets, ConfigMaps) and from the flags,
which are the manager's; what is in neither is taken to be as it should be, and
said so on standard error. An EnvoyExtensionPolicy is the one that a TarsBackend
has already: some of it stays as it is. The value of the key is never printed.
`

// Process is what the command has of its process.
type Process struct {
	// Version is the operator's: the tag of its image.
	Version string
	// Stdin is read for the file "-".
	Stdin io.Reader
	// Stdout takes the objects, Stderr what there is to say about them.
	Stdout, Stderr io.Writer
}

// options are the command line.
type options struct {
	files     cli.Files
	namespace string
	uid       string
	settings  controllers.Settings
	// standInImage says that no image was given.
	standInImage bool
}

// Run renders every TarsBackend of the files. It prints all of them or, where
// something is wrong with any, none. The error names file, object, field and
// fix, and wraps cli.ErrUsage after a wrong call.
func Run(ctx context.Context, args []string, p Process) error {
	o, err := parse(args, p)
	if err != nil {
		return err
	}
	set, err := documents.Reader{Stdin: p.Stdin, Namespace: o.namespace}.Read(ctx, o.files)
	if err != nil {
		return err
	}
	known, err := o.identify(set.Backends)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	var problems []error
	for _, b := range set.Backends {
		result, assumed, err := o.render(ctx, set, b)
		if err != nil {
			problems = append(problems, fmt.Errorf("TarsBackend %s: %w", client.ObjectKeyFromObject(b), err))
			continue
		}
		for _, assumption := range assumed {
			fmt.Fprintf(p.Stderr, "note: TarsBackend %s: %s\n", client.ObjectKeyFromObject(b), assumption)
		}
		out.WriteString(o.heading(b, known[b]))
		out.Write(result)
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	if _, err := out.WriteTo(p.Stdout); err != nil {
		return fmt.Errorf("writing the objects: %w", err)
	}
	return nil
}

func parse(args []string, p Process) (options, error) {
	o := options{}
	fs := &flag.FlagSet{}
	settings := manager.NewSettingsFlags()
	fs.Var(&o.files, "f", "File with TarsBackends and what they name, as YAML or JSON; - for standard input. Repeatable.")
	fs.StringVar(&o.namespace, "n", "default", "Namespace of documents that name none.")
	fs.StringVar(&o.uid, "uid", "", "metadata.uid of the one TarsBackend, where its document has none.")
	settings.BindReferences(fs)
	settings.BindImage(fs, "empty: "+imageRepository+" with this program's version, as in the chart.")
	rest, err := cli.Command{
		Name: "render", Synopsis: "-f FILE [-f FILE]... [flags]", Description: description, Stderr: p.Stderr,
	}.Parse(fs, args)
	if err != nil {
		return o, err
	}
	if len(rest) > 0 {
		return o, fmt.Errorf("%w: render takes files by -f only, and was given %q", cli.ErrUsage, rest)
	}
	if len(o.files) == 0 {
		return o, fmt.Errorf("%w: no file is given: add -f FILE, or -f - for standard input", cli.ErrUsage)
	}
	if o.settings, err = settings.Settings(); err != nil {
		return o, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	if problems := validation.IsValidLabelValue(o.uid); len(problems) > 0 {
		return o, fmt.Errorf("%w: --uid %q: %s", cli.ErrUsage, o.uid, strings.Join(problems, ", "))
	}
	if o.settings.ExtProcImage == "" {
		o.settings.ExtProcImage, o.standInImage = imageRepository+":"+p.Version, true
	}
	return o, nil
}

// identify gives every TarsBackend a UID, and says which ones have their own.
func (o options) identify(backends []*v1alpha1.TarsBackend) (map[*v1alpha1.TarsBackend]bool, error) {
	if o.uid != "" && len(backends) != 1 {
		return nil, fmt.Errorf("%w: --uid is that of one TarsBackend, and the files hold %d", cli.ErrUsage, len(backends))
	}
	known := map[*v1alpha1.TarsBackend]bool{}
	for _, b := range backends {
		switch {
		case b.UID == "" && o.uid == "":
			b.UID = standInUID(b)
			continue
		case b.UID == "":
			b.UID = types.UID(o.uid)
		case o.uid != "" && string(b.UID) != o.uid:
			return nil, fmt.Errorf("%w: --uid %s is not the metadata.uid %s of the document: leave --uid out", cli.ErrUsage, o.uid, b.UID)
		}
		known[b] = true
	}
	return known, nil
}

// standInUID is a UID that no object has, and another one for each name.
func standInUID(b *v1alpha1.TarsBackend) types.UID {
	sum := sha256.Sum256([]byte(client.ObjectKeyFromObject(b).String()))
	return types.UID("00000000-0000-0000-0000-" + hex.EncodeToString(sum[:6]))
}

// render is the YAML of all objects, and what was taken for granted.
func (o options) render(ctx context.Context, set *documents.Set, b *v1alpha1.TarsBackend) ([]byte, []string, error) {
	found, err := survey.Take(ctx, set, b, o.settings)
	if err != nil {
		return nil, nil, err
	}
	if err := refused(found); err != nil {
		return nil, nil, err
	}
	assumed := found.Assumed
	if b.Annotations[v1alpha1.AnnotationPaused] == "true" {
		assumed = append(assumed, "the annotation "+v1alpha1.AnnotationPaused+" keeps the manager from applying anything")
	}
	if b.DeletionTimestamp != nil {
		assumed = append(assumed, "it is being deleted, and so are its objects")
	}
	for _, finding := range parentFindings(found.Seen.Parents) {
		assumed = append(assumed, "a parent is left out of the HTTPRoute: "+finding.Message)
	}
	standing, err := standingPolicy(ctx, set, b)
	if err != nil {
		return nil, nil, err
	}
	if standing == nil && slices.Contains(b.Finalizers, v1alpha1.Finalizer) {
		assumed = append(assumed, fmt.Sprintf("EnvoyExtensionPolicy %s/%s is not in the files: taken to be made now",
			b.Namespace, desired.RouteName(b)))
	}
	objects, err := settled(desired.Input{
		Backend:                 b,
		Parents:                 found.Served,
		Key:                     PlaceholderKey,
		ExtensionPolicy:         standing,
		ExtProcImage:            o.settings.ExtProcImage,
		ExtProcImagePullPolicy:  o.settings.ExtProcImagePullPolicy,
		ExtProcImagePullSecrets: o.settings.ExtProcImagePullSecrets,
	})
	if err != nil {
		return nil, nil, err
	}
	content, err := marshal(b, objects.Ordered)
	return content, assumed, err
}

// standingPolicy is the EnvoyExtensionPolicy that the files hold; nil: none.
func standingPolicy(ctx context.Context, set *documents.Set, b *v1alpha1.TarsBackend) (*egv1a1.EnvoyExtensionPolicy, error) {
	policy := &egv1a1.EnvoyExtensionPolicy{}
	err := set.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: desired.RouteName(b)}, policy)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking for the EnvoyExtensionPolicy: %w", err)
	}
	return policy, nil
}

// settled are the children once Envoy Gateway has accepted them all: the
// HTTPRoute then carries their hash.
func settled(in desired.Input) (desired.Objects, error) {
	objects, err := desired.Build(in)
	if err != nil {
		return objects, fmt.Errorf("building the objects: %w", err)
	}
	in.RouteHash = objects.RouteHash
	if objects, err = desired.Build(in); err != nil {
		return objects, fmt.Errorf("building the objects: %w", err)
	}
	return objects, nil
}

// refused says why the manager would make nothing of a TarsBackend.
func refused(s survey.Survey) error {
	findings := append(append([]conditions.Finding{}, s.Seen.Refused...), s.Seen.Unresolved...)
	if len(s.Served) == 0 {
		findings = append(findings, parentFindings(s.Seen.Parents)...)
	}
	problems := make([]error, 0, len(findings))
	for _, f := range findings {
		problems = append(problems, fmt.Errorf("the manager would not apply anything: %s: %s", f.Reason, f.Message))
	}
	return errors.Join(problems...)
}

func parentFindings(parents []conditions.Parent) []conditions.Finding {
	var findings []conditions.Finding
	for _, p := range parents {
		findings = append(findings, p.Refused...)
	}
	return findings
}

// marshal writes objects as the manager sends them.
func marshal(b *v1alpha1.TarsBackend, objects []client.Object) ([]byte, error) {
	var out bytes.Buffer
	for _, obj := range objects {
		body, err := controllers.IntentOf(obj, obj.GetObjectKind().GroupVersionKind())
		if err != nil {
			return nil, fmt.Errorf("rendering: %w", err)
		}
		content, err := yaml.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("rendering %s: %w", obj.GetName(), err)
		}
		out.WriteString("---\n")
		if _, isSecret := obj.(*corev1.Secret); isSecret {
			ref := b.Spec.Credential.SecretRef
			fmt.Fprintf(&out, "# The value is a placeholder: the manager writes \"Bearer \" and the key that\n"+
				"# Secret %s/%s holds under %s.\n", b.Namespace, ref.Name, ref.Key)
		}
		out.Write(content)
	}
	return out.Bytes(), nil
}

// heading says in comments what the objects are, and what in them stands in
// for something else.
func (o options) heading(b *v1alpha1.TarsBackend, uidKnown bool) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# What the manager applies for TarsBackend %s, in its order.\n", client.ObjectKeyFromObject(b))
	if !uidKnown {
		fmt.Fprintf(&text, "# The document has no metadata.uid: %s stands in for it. In a\n"+
			"# cluster the owners, the labels with the UID, the tokens that are derived from it\n"+
			"# and the hashes over them differ. Render what kubectl get -o yaml prints, or give\n"+
			"# --uid, to see those of an object that exists.\n", b.UID)
	}
	if o.standInImage {
		fmt.Fprintf(&text, "# No --extproc-image is given: %s stands in for it.\n", o.settings.ExtProcImage)
	}
	return text.String()
}
