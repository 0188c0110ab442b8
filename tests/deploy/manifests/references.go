package main

import (
    "fmt"

    appsv1 "k8s.io/api/apps/v1"
    corev1 "k8s.io/api/core/v1"
    networkingv1 "k8s.io/api/networking/v1"
    policyv1 "k8s.io/api/policy/v1"
    metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
    "k8s.io/apimachinery/pkg/labels"
    "k8s.io/apimachinery/pkg/util/intstr"
    admission "k8s.io/pod-security-admission/api"
    "k8s.io/pod-security-admission/policy"
)

// What one object names of another is there, selectors select the pods, and these are `restricted` by the Pod Security Standards.
func check(objects []*object, all map[string][]*object) error {
    for _, object := range objects {
        set, is := object.typed.(*appsv1.StatefulSet)
        if !is {
            continue
        }
        for _, err := range []error{
            restricted(&set.Spec.Template),
            mounts(set),
            named(set, objects, all),
            selected(set, objects),
        } {
            if err != nil {
                return fmt.Errorf("%s %s: %w", object.kind, object.name, err)
            }
        }
    }
    return nil
}

func restricted(template *corev1.PodTemplateSpec) error {
    evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
    if err != nil {
        return err
    }
    level := admission.LevelVersion{Level: admission.LevelRestricted, Version: admission.LatestVersion()}
    results := evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec)
    if result := policy.AggregateCheckResults(results); !result.Allowed {
        return fmt.Errorf("%s", result.ForbiddenDetail())
    }
    return nil
}

// Each mount has its volume, and each volume is mounted.
func mounts(set *appsv1.StatefulSet) error {
    volumes := map[string]bool{}
    for _, volume := range set.Spec.Template.Spec.Volumes {
        volumes[volume.Name] = false
    }
    for _, claim := range set.Spec.VolumeClaimTemplates {
        volumes[claim.Name] = false
    }
    for _, container := range set.Spec.Template.Spec.Containers {
        for _, mount := range container.VolumeMounts {
            if _, is := volumes[mount.Name]; !is {
                return fmt.Errorf("there is no volume %s", mount.Name)
            }
            volumes[mount.Name] = true
        }
    }
    for name, mounted := range volumes {
        if !mounted {
            return fmt.Errorf("nothing mounts the volume %s", name)
        }
    }
    return nil
}

// Secrets are applied apart, and those of Strimzi's operators are made by them.
func named(set *appsv1.StatefulSet, objects []*object, all map[string][]*object) error {
    pod := set.Spec.Template.Spec
    wanted := map[string]bool{"Service " + set.Spec.ServiceName: true, "ServiceAccount " + pod.ServiceAccountName: true}
    for _, volume := range pod.Volumes {
        if volume.Secret != nil {
            wanted["Secret "+volume.Secret.SecretName] = true
        }
        if volume.ConfigMap != nil {
            wanted["ConfigMap "+volume.ConfigMap.Name] = true
        }
    }
    for _, container := range pod.Containers {
        for _, from := range container.EnvFrom {
            wanted["ConfigMap "+from.ConfigMapRef.Name] = true
        }
    }
    for _, object := range objects {
        delete(wanted, object.kind+" "+object.name)
        if user, is := object.typed.(*kafkaUser); is {
            delete(wanted, "Secret "+user.Name)
            delete(wanted, "Secret "+user.Labels[clusterLabel]+"-cluster-ca-cert")
        }
    }
    for _, others := range all {
        for _, object := range others {
            if object.kind == "Secret" || object.kind == "ConfigMap" {
                delete(wanted, object.kind+" "+object.name)
            }
        }
    }
    for what := range wanted {
        return fmt.Errorf("there is no %s", what)
    }
    return nil
}

// Whatever selects pods selects these, by their labels, and names a port that they have.
func selected(set *appsv1.StatefulSet, objects []*object) error {
    template := set.Spec.Template
    pods := labels.Set(template.Labels)
    ports := map[string]int32{}
    for _, container := range template.Spec.Containers {
        for _, port := range container.Ports {
            ports[port.Name] = port.ContainerPort
        }
        probes := []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe}
        for _, probe := range probes {
            if probe == nil || probe.HTTPGet == nil || ports[probe.HTTPGet.Port.StrVal] == 0 {
                return fmt.Errorf("a probe is missing, or asks at no port of the container")
            }
        }
    }
    if annotated := template.Annotations["prometheus.io/port"]; annotated != fmt.Sprint(ports["http"]) {
        return fmt.Errorf("Prometheus is told of port %s", annotated)
    }
    selectors := map[string]*metav1.LabelSelector{"it": set.Spec.Selector}
    for _, spread := range template.Spec.TopologySpreadConstraints {
        selectors["a spread"] = spread.LabelSelector
    }
    var named []intstr.IntOrString
    for _, object := range objects {
        switch typed := object.typed.(type) {
        case *corev1.Service:
            selectors["service "+typed.Name] = &metav1.LabelSelector{MatchLabels: typed.Spec.Selector}
            for _, port := range typed.Spec.Ports {
                named = append(named, port.TargetPort)
            }
        case *policyv1.PodDisruptionBudget:
            selectors["budget "+typed.Name] = typed.Spec.Selector
        case *networkingv1.NetworkPolicy:
            selectors["policy "+typed.Name] = &typed.Spec.PodSelector
            for _, rule := range typed.Spec.Ingress {
                for _, port := range rule.Ports {
                    named = append(named, *port.Port)
                }
            }
        }
    }
    for what, selector := range selectors {
        matches, err := metav1.LabelSelectorAsSelector(selector)
        if err != nil {
            return err
        }
        if matches.Empty() || !matches.Matches(pods) {
            return fmt.Errorf("%s does not select the pods", what)
        }
    }
    for _, port := range named {
        if ports[port.StrVal] == 0 {
            return fmt.Errorf("the pods have no port %s", port.String())
        }
    }
    return nil
}
