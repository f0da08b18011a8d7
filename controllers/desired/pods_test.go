// SPDX-License-Identifier: Apache-2.0

package desired_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
)

var _ = Describe("The external processor's pods", func() {
	It("hold no token and no environment of other Services", func() {
		objects := build(readInput("full"))
		pod := only[*appsv1.Deployment](objects).Spec.Template.Spec
		Expect(pod.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		Expect(only[*corev1.ServiceAccount](objects).AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		Expect(pod.EnableServiceLinks).To(HaveValue(BeFalse()))
	})

	It("start the image's own program with the file that is mounted", func() {
		in := readInput("minimal")
		container := only[*appsv1.Deployment](build(in)).Spec.Template.Spec.Containers[0]
		Expect(container.Command).To(BeEmpty())
		Expect(container.Args).To(HaveExactElements("extproc", "--config=/etc/tars-operator/extproc/config.json",
			"--grpc-bind-address=:9002", "--http-bind-address=:9003"))
		Expect(container.VolumeMounts).To(HaveExactElements(
			HaveField("MountPath", "/etc/tars-operator/extproc")))
		Expect(container.Image).To(Equal(in.ExtProcImage))
		Expect(container.ImagePullPolicy).To(BeEmpty(), "Kubernetes' default depends on the tag")
	})

	It("roll without a gap: one more first, ten seconds of new requests at the end", func() {
		deployment := only[*appsv1.Deployment](build(readInput("minimal")))
		Expect(deployment.Spec.Strategy.RollingUpdate.MaxUnavailable).To(HaveValue(Equal(intstr.FromInt32(0))))
		Expect(deployment.Spec.Strategy.RollingUpdate.MaxSurge).To(HaveValue(Equal(intstr.FromString("25%"))))
		container := deployment.Spec.Template.Spec.Containers[0]
		Expect(container.Lifecycle.PreStop.Sleep.Seconds).To(Equal(int64(10)))
		Expect(container.ReadinessProbe.PeriodSeconds).To(Equal(int32(1)))
		Expect(container.ReadinessProbe.GRPC.Port).To(Equal(int32(9002)))
		killedAfter := container.LivenessProbe.PeriodSeconds * container.LivenessProbe.FailureThreshold
		Expect(killedAfter).To(BeNumerically(">=", 60), "a busy one must not be killed for it")
	})

	DescribeTable("run as often as asked",
		func(name string, replicas int) {
			Expect(only[*appsv1.Deployment](build(readInput(name))).Spec.Replicas).To(HaveValue(BeEquivalentTo(replicas)))
		},
		Entry("twice by default", "minimal", 2), Entry("never", "replicas-0", 0), Entry("three times", "replicas-3", 3),
	)

	It("carry the user's labels and annotations, but ours win", func() {
		objects := build(readInput("pod-template-overruled"))
		deployment := only[*appsv1.Deployment](objects)
		Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue("team", "a"))
		for key, value := range deployment.Spec.Selector.MatchLabels {
			Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue(key, value))
		}
		Expect(deployment.Spec.Selector.MatchLabels).To(HaveKeyWithValue("gateway.tars.dev/tarsbackend", "tars"))
		Expect(deployment.Spec.Selector.MatchLabels).To(HaveKeyWithValue("app.kubernetes.io/name", "tars-extproc"))
		Expect(deployment.Spec.Template.Annotations).To(Equal(map[string]string{
			"example.com/note": "kept", v1alpha1.AnnotationConfigHash: objects.ConfigHash,
		}))
	})

	It("are not taken for those of an earlier TarsBackend of the same name", func() {
		objects := build(readInput("minimal"))
		again := readInput("minimal")
		again.Backend.UID = "another"
		before := only[*corev1.Service](objects).Spec.Selector
		after := only[*corev1.Service](build(again)).Spec.Selector
		Expect(labels.SelectorFromSet(after).Matches(labels.Set(only[*appsv1.Deployment](objects).Spec.Template.Labels))).To(BeFalse())
		Expect(labels.SelectorFromSet(before).Matches(labels.Set(only[*appsv1.Deployment](objects).Spec.Template.Labels))).To(BeTrue())
		Expect(only[*appsv1.Deployment](objects).Spec.Selector.MatchLabels).To(Equal(before))
	})

	It("are pulled with the platform's Secrets, until the user names some", func() {
		in := readInput("minimal")
		in.ExtProcImagePullSecrets = []string{"one", "two"}
		Expect(only[*appsv1.Deployment](build(in)).Spec.Template.Spec.ImagePullSecrets).
			To(Equal([]corev1.LocalObjectReference{{Name: "one"}, {Name: "two"}}))
		full := readInput("full")
		full.ExtProcImagePullSecrets = in.ExtProcImagePullSecrets
		Expect(full.Backend.Spec.ExtProc.PodTemplate.ImagePullSecrets).NotTo(BeEmpty())
		Expect(only[*appsv1.Deployment](build(full)).Spec.Template.Spec.ImagePullSecrets).
			To(Equal(full.Backend.Spec.ExtProc.PodTemplate.ImagePullSecrets))
	})

	It("prefer different nodes, until the user says where they belong", func() {
		affinity := only[*appsv1.Deployment](build(readInput("minimal"))).Spec.Template.Spec.Affinity
		terms := affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
		Expect(terms).To(HaveLen(1))
		Expect(terms[0].PodAffinityTerm.TopologyKey).To(Equal("kubernetes.io/hostname"))
		Expect(terms[0].PodAffinityTerm.LabelSelector.MatchLabels).To(HaveKeyWithValue("gateway.tars.dev/tarsbackend", "tars"))
		in := readInput("full")
		Expect(only[*appsv1.Deployment](build(in)).Spec.Template.Spec.Affinity).
			To(Equal(in.Backend.Spec.ExtProc.PodTemplate.Affinity))
	})

	It("get the user's variables, but ours win", func() {
		in := readInput("full")
		in.Backend.Spec.ExtProc.PodTemplate.Env = []v1alpha1.EnvVar{
			{Name: "POD_NAME", Value: "mine"}, {Name: "EXTPROC_MEMORY_LIMIT", Value: "1"}, {Name: "GOGC", Value: "50"},
		}
		env := only[*appsv1.Deployment](build(in)).Spec.Template.Spec.Containers[0].Env
		names := map[string]corev1.EnvVar{}
		for _, variable := range env {
			Expect(names).NotTo(HaveKey(variable.Name))
			names[variable.Name] = variable
		}
		Expect(names).To(HaveLen(3))
		Expect(names["GOGC"].Value).To(Equal("50"))
		Expect(names["POD_NAME"].ValueFrom.FieldRef.FieldPath).To(Equal("metadata.name"))
		Expect(names["EXTPROC_MEMORY_LIMIT"].ValueFrom.ResourceFieldRef.Resource).To(Equal("limits.memory"))
	})

	DescribeTable("always have a memory limit, and requests within their limits",
		func(given *corev1.ResourceRequirements, requestCPU, requestMemory, limitMemory string) {
			in := readInput("minimal")
			in.Backend.Spec.ExtProc = &v1alpha1.ExtProc{Resources: given}
			r := only[*appsv1.Deployment](build(in)).Spec.Template.Spec.Containers[0].Resources
			Expect(r.Requests.Cpu().String()).To(Equal(requestCPU))
			Expect(r.Requests.Memory().String()).To(Equal(requestMemory))
			Expect(r.Limits.Memory().String()).To(Equal(limitMemory))
		},
		Entry("nothing is given", nil, "50m", "64Mi", "256Mi"),
		Entry("an empty struct is given", &corev1.ResourceRequirements{}, "50m", "64Mi", "256Mi"),
		Entry("a small limit is given", limits("memory", "32Mi"), "50m", "32Mi", "32Mi"),
		Entry("a large limit is given", limits("memory", "1Gi"), "50m", "64Mi", "1Gi"),
		Entry("a small CPU limit is given", limits("cpu", "10m"), "10m", "64Mi", "256Mi"),
		Entry("a CPU limit is given", limits("cpu", "1"), "50m", "64Mi", "256Mi"),
		Entry("a small request is given", requests("memory", "16Mi"), "50m", "16Mi", "256Mi"),
		Entry("a request above the default limit is given", requests("memory", "2Gi"), "50m", "2Gi", "2Gi"),
	)

	It("take requests from Envoy Gateway's proxies alone, metrics from anyone, and call nobody", func() {
		objects := build(readInput("minimal"))
		policy := only[*networkingv1.NetworkPolicy](objects).Spec
		Expect(policy.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
		Expect(policy.Egress).To(BeEmpty())
		Expect(policy.PodSelector).To(Equal(*only[*appsv1.Deployment](objects).Spec.Selector))
		Expect(policy.Ingress).To(HaveLen(2))
		grpc, metrics := policy.Ingress[0], policy.Ingress[1]
		Expect(grpc.Ports).To(ConsistOf(HaveField("Port", HaveValue(Equal(intstr.FromInt32(9002))))))
		Expect(grpc.From).To(HaveLen(1))
		Expect(grpc.From[0].NamespaceSelector).NotTo(BeNil(), "of any namespace")
		Expect(grpc.From[0].NamespaceSelector.MatchLabels).To(BeEmpty())
		Expect(grpc.From[0].PodSelector.MatchLabels).To(Equal(map[string]string{
			"app.kubernetes.io/managed-by": "envoy-gateway", "app.kubernetes.io/component": "proxy",
		}))
		Expect(metrics.From).To(BeEmpty())
		Expect(metrics.Ports).To(ConsistOf(HaveField("Port", HaveValue(Equal(intstr.FromInt32(9003))))))
	})
})

var _ = DescribeTable("Pods may call the collector of traces that their environment names, and nobody else",
	func(port int, pairs ...string) {
		in := readInput("minimal")
		var env []v1alpha1.EnvVar
		for i := 0; i < len(pairs); i += 2 {
			env = append(env, v1alpha1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
		}
		in.Backend.Spec.ExtProc = &v1alpha1.ExtProc{PodTemplate: &v1alpha1.ExtProcPodTemplate{Env: env}}
		egress := only[*networkingv1.NetworkPolicy](build(in)).Spec.Egress
		if port == 0 {
			Expect(egress).To(BeEmpty())
			return
		}
		Expect(egress).To(HaveLen(2))
		Expect(egress[0].Ports).To(HaveLen(1))
		Expect(egress[0].Ports[0].Port).To(HaveValue(Equal(intstr.FromInt(port))))
		Expect(egress[0].Ports[0].Protocol).To(HaveValue(Equal(corev1.ProtocolTCP)))
		Expect(egress[1].Ports).To(HaveLen(2), "DNS")
		for _, dns := range egress[1].Ports {
			Expect(dns.Port).To(HaveValue(Equal(intstr.FromInt(53))))
		}
	},
	Entry("none", 0, "OTEL_SERVICE_NAME", "x"),
	Entry("what is no address", 0, "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
	Entry("with a port", 4318, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.observability:4318"),
	Entry("of traces before that of everything", 1234, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t:1234/v1/traces"),
	Entry("without a port", 80, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector"),
	Entry("without a port, over TLS", 443, "OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
	Entry("without a port, over gRPC", 443, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
)

func limits(name, value string) *corev1.ResourceRequirements {
	return &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceName(name): resource.MustParse(value)}}
}

func requests(name, value string) *corev1.ResourceRequirements {
	return &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceName(name): resource.MustParse(value)}}
}
