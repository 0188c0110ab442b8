package main

import (
    "errors"
    "fmt"

    appsv1 "k8s.io/api/apps/v1"
    corev1 "k8s.io/api/core/v1"
    networkingv1 "k8s.io/api/networking/v1"
    policyv1 "k8s.io/api/policy/v1"
    "sigs.k8s.io/json"
    "sigs.k8s.io/kustomize/api/krusty"
    "sigs.k8s.io/kustomize/api/types"
    "sigs.k8s.io/kustomize/kyaml/filesys"
    "sigs.k8s.io/yaml"
)

// Something that Kubernetes is given, in the type that it has there.
type object struct {
    kind, name string
    typed      any
}

// As `kustomize build` does it, each object decoded strictly.
func render(directory string) ([]*object, error) {
    options := krusty.MakeDefaultOptions()
    options.LoadRestrictions = types.LoadRestrictionsRootOnly
    rendered, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), directory)
    if err != nil {
        return nil, err
    }
    var objects []*object
    for _, resource := range rendered.Resources() {
        text, err := resource.AsYAML()
        if err != nil {
            return nil, err
        }
        decoded, err := decode(text)
        if err != nil {
            return nil, fmt.Errorf("%s: %w", resource.CurId(), err)
        }
        decoded.kind, decoded.name = resource.GetKind(), resource.GetName()
        objects = append(objects, decoded)
    }
    return objects, nil
}

func decode(text []byte) (*object, error) {
    // Refuses a key that is there twice.
    document, err := yaml.YAMLToJSONStrict(text)
    if err != nil {
        return nil, err
    }
    var head struct {
        APIVersion string `json:"apiVersion"`
        Kind       string `json:"kind"`
    }
    if err := json.UnmarshalCaseSensitivePreserveInts(document, &head); err != nil {
        return nil, err
    }
    typed := typeOf(head.APIVersion + " " + head.Kind)
    if typed == nil {
        return nil, fmt.Errorf("what is a %s of %s?", head.Kind, head.APIVersion)
    }
    unknown, err := json.UnmarshalStrict(document, typed)
    if err = errors.Join(append(unknown, err)...); err != nil {
        return nil, err
    }
    if checked, is := typed.(interface{ check() error }); is {
        if err := checked.check(); err != nil {
            return nil, err
        }
    }
    return &object{typed: typed}, nil
}

func typeOf(kind string) any {
    switch kind {
    case "v1 ConfigMap":
        return &corev1.ConfigMap{}
    case "v1 Secret":
        return &corev1.Secret{}
    case "v1 Service":
        return &corev1.Service{}
    case "v1 ServiceAccount":
        return &corev1.ServiceAccount{}
    case "apps/v1 StatefulSet":
        return &appsv1.StatefulSet{}
    case "networking.k8s.io/v1 NetworkPolicy":
        return &networkingv1.NetworkPolicy{}
    case "policy/v1 PodDisruptionBudget":
        return &policyv1.PodDisruptionBudget{}
    case "kafka.strimzi.io/v1 KafkaTopic":
        return &kafkaTopic{}
    case "kafka.strimzi.io/v1 KafkaUser":
        return &kafkaUser{}
    default:
        return nil
    }
}
