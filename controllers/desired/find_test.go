// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tars-operator/tars-operator/controllers/desired"
	"github.com/tars-operator/tars-operator/extproc/config"
)

// build is desired.Build of input that it must take.
func build(in desired.Input) desired.Objects {
	GinkgoHelper()
	objects, err := desired.Build(in)
	Expect(err).NotTo(HaveOccurred())
	return objects
}

// only is the one object of a type.
func only[T client.Object](objects desired.Objects) T {
	GinkgoHelper()
	found := every[T](objects)
	Expect(found).To(HaveLen(1))
	return found[0]
}

// every lists the objects of a type.
func every[T client.Object](objects desired.Objects) []T {
	var found []T
	for _, obj := range objects.Ordered {
		if typed, ok := obj.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// route is the route in the external processor's configuration.
func route(objects desired.Objects) config.Route {
	GinkgoHelper()
	parsed, hash, err := config.Parse([]byte(only[*corev1.ConfigMap](objects).Data[config.FileName]))
	Expect(err).NotTo(HaveOccurred())
	Expect(hash).To(Equal(objects.ConfigHash))
	Expect(parsed.Routes).To(HaveLen(1))
	return parsed.Routes[0]
}

// contents maps "<kind> <name>" to an object's JSON. A ConfigMap's name has no
// hash there.
func contents(objects desired.Objects) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	for _, obj := range objects.Ordered {
		data, err := json.Marshal(obj)
		Expect(err).NotTo(HaveOccurred())
		id := obj.GetObjectKind().GroupVersionKind().Kind + " " + obj.GetName()
		if _, ok := obj.(*corev1.ConfigMap); ok {
			id = "ConfigMap"
		}
		Expect(all).NotTo(HaveKey(id))
		all[id] = string(data)
	}
	return all
}

// differing are the objects in which two sets differ.
func differing(before, after desired.Objects) []string {
	GinkgoHelper()
	old, current := contents(before), contents(after)
	differ := []string{}
	for id, content := range current {
		if old[id] != content {
			differ = append(differ, id)
		}
		delete(old, id)
	}
	for id := range old {
		differ = append(differ, id)
	}
	return differ
}
