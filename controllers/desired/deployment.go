// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tars-operator/tars-operator/api/v1alpha1"
	"github.com/tars-operator/tars-operator/extproc/config"
)

const (
	containerName = "extproc"
	configVolume  = "config"
	configDir     = "/etc/tars-operator/extproc"
	nonroot       = int64(65532)

	// preStopSeconds is how long a pod that ends still takes new requests:
	// until Envoy has learned that it is leaving, on a busy machine too.
	preStopSeconds = int64(10)
	// stopMarginSeconds is what a pod gets after its drain to end by itself: its
	// metrics are to be read once more.
	stopMarginSeconds = int64(config.LastScrapeSeconds + 5)
)

// extProcPods is what the external processor's pods are made from.
type extProcPods struct {
	Input
	configHash   string
	drainSeconds int64
}

// Deployment runs the external processor. Its pods carry the hash of their
// configuration, so that a change rolls them one by one while requests in
// flight end where they began.
func Deployment(in extProcPods) *appsv1.Deployment {
	b := in.Backend
	m := extProcMeta(b, ExtProcName(b))
	return &appsv1.Deployment{
		TypeMeta:   typeMeta(appsv1.SchemeGroupVersion, "Deployment"),
		ObjectMeta: m,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(replicas(b)),
			Selector: &metav1.LabelSelector{MatchLabels: podLabels(b)},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromString("25%")),
				},
			},
			RevisionHistoryLimit: new(int32(2)),
			Template:             podTemplate(in, m.Labels),
		},
	}
}

func podTemplate(in extProcPods, labels map[string]string) corev1.PodTemplateSpec {
	user := userTemplate(in.Backend)
	annotations := map[string]string{}
	merged := map[string]string{}
	if user.Metadata != nil {
		for key, value := range user.Metadata.Labels {
			merged[key] = string(value)
		}
		for key, value := range user.Metadata.Annotations {
			annotations[key] = string(value)
		}
	}
	maps.Copy(merged, labels)
	annotations[v1alpha1.AnnotationConfigHash] = in.configHash
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: merged, Annotations: annotations},
		Spec:       podSpec(in, user),
	}
}

func userTemplate(b *v1alpha1.TarsBackend) v1alpha1.ExtProcPodTemplate {
	if b.Spec.ExtProc == nil || b.Spec.ExtProc.PodTemplate == nil {
		return v1alpha1.ExtProcPodTemplate{}
	}
	return *b.Spec.ExtProc.PodTemplate
}

func podSpec(in extProcPods, user v1alpha1.ExtProcPodTemplate) corev1.PodSpec {
	b := in.Backend
	nodeSelector := map[string]string{}
	for key, value := range user.NodeSelector {
		nodeSelector[key] = string(value)
	}
	affinity := user.Affinity
	if affinity == nil {
		affinity = spread(b)
	}
	return corev1.PodSpec{
		ServiceAccountName:            ExtProcName(b),
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(preStopSeconds + in.drainSeconds + stopMarginSeconds),
		ImagePullSecrets:              pullSecrets(in.Input, user),
		NodeSelector:                  nodeSelector,
		Tolerations:                   user.Tolerations,
		Affinity:                      affinity,
		PriorityClassName:             user.PriorityClassName,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(nonroot),
			RunAsGroup:     new(nonroot),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{container(in.Input, user)},
		Volumes: []corev1.Volume{{
			Name: configVolume,
			VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: configMapName(b, in.configHash)},
				DefaultMode:          new(int32(0o444)),
			}},
		}},
	}
}

func container(in Input, user v1alpha1.ExtProcPodTemplate) corev1.Container {
	return corev1.Container{
		Name:            containerName,
		Image:           in.ExtProcImage,
		ImagePullPolicy: in.ExtProcImagePullPolicy,
		Args: []string{
			"extproc",
			"--config=" + configDir + "/" + config.FileName,
			fmt.Sprintf("--grpc-bind-address=:%d", grpcPort),
			fmt.Sprintf("--http-bind-address=:%d", httpPort),
		},
		Env:       environment(user),
		Resources: ExtProcResources(in.Backend),
		Ports: []corev1.ContainerPort{
			{Name: grpcPortName, ContainerPort: grpcPort, Protocol: corev1.ProtocolTCP},
			{Name: httpPortName, ContainerPort: httpPort, Protocol: corev1.ProtocolTCP},
		},
		StartupProbe:   probe(1, 1, 60),
		ReadinessProbe: probe(1, 1, 3),
		// Lenient: a busy external processor must not be killed for it. Envoy's
		// own health check takes a hung one out long before.
		LivenessProbe: probe(10, 5, 6),
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
			Sleep: &corev1.SleepAction{Seconds: preStopSeconds},
		}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: configVolume, MountPath: configDir, ReadOnly: true}},
	}
}

// pullSecrets are the user's or, where there are none, the platform's.
func pullSecrets(in Input, user v1alpha1.ExtProcPodTemplate) []corev1.LocalObjectReference {
	if len(user.ImagePullSecrets) > 0 {
		return user.ImagePullSecrets
	}
	var secrets []corev1.LocalObjectReference
	for _, name := range in.ExtProcImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}

func probe(periodSeconds, timeoutSeconds, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: grpcPort, Service: new("")}},
		PeriodSeconds:    periodSeconds,
		TimeoutSeconds:   timeoutSeconds,
		FailureThreshold: failures,
		SuccessThreshold: 1,
	}
}

// environment is the user's variables and then ours, which win.
func environment(user v1alpha1.ExtProcPodTemplate) []corev1.EnvVar {
	ours := []corev1.EnvVar{
		{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"},
		}},
		{Name: "EXTPROC_MEMORY_LIMIT", ValueFrom: &corev1.EnvVarSource{
			ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: containerName, Resource: "limits.memory"},
		}},
	}
	var variables []corev1.EnvVar
	for _, variable := range user.Env {
		if variable.Name != ours[0].Name && variable.Name != ours[1].Name {
			variables = append(variables, corev1.EnvVar{Name: variable.Name, Value: variable.Value})
		}
	}
	return append(variables, ours...)
}

// ExtProcResources are the user's. What is missing of requests and of the memory
// limit is filled in: without a limit the external processor could not tell how
// many bytes it may hold.
func ExtProcResources(b *v1alpha1.TarsBackend) corev1.ResourceRequirements {
	defaults := v1alpha1.DefaultExtProcResources()
	if b.Spec.ExtProc == nil || b.Spec.ExtProc.Resources == nil {
		return defaults
	}
	r := *b.Spec.ExtProc.Resources.DeepCopy()
	if _, limited := r.Limits[corev1.ResourceMemory]; !limited {
		limit := defaults.Limits[corev1.ResourceMemory]
		if request, ok := r.Requests[corev1.ResourceMemory]; ok && request.Cmp(limit) > 0 {
			limit = request
		}
		r.Limits = with(r.Limits, corev1.ResourceMemory, limit)
	}
	for name, request := range defaults.Requests {
		if _, requested := r.Requests[name]; requested {
			continue
		}
		if limit, limited := r.Limits[name]; limited && limit.Cmp(request) < 0 {
			request = limit
		}
		r.Requests = with(r.Requests, name, request)
	}
	return r
}

func with(list corev1.ResourceList, name corev1.ResourceName, value resource.Quantity) corev1.ResourceList {
	if list == nil {
		list = corev1.ResourceList{}
	}
	list[name] = value.DeepCopy()
	return list
}

// spread makes replicas prefer different nodes.
func spread(b *v1alpha1.TarsBackend) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				LabelSelector: &metav1.LabelSelector{MatchLabels: podLabels(b)},
				TopologyKey:   corev1.LabelHostname,
			},
		}},
	}}
}

// replicas is spec.extProc.replicas or its default.
func replicas(b *v1alpha1.TarsBackend) int32 {
	if b.Spec.ExtProc == nil || b.Spec.ExtProc.Replicas == nil {
		return v1alpha1.DefaultExtProcReplicas
	}
	return *b.Spec.ExtProc.Replicas
}
