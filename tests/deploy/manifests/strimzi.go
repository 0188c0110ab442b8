package main

// What Strimzi's resources hold, as their reference describes `kafka.strimzi.io/v1`; the part that is not used here is left out.
// Strimzi's own types are in Java.

import (
    "fmt"
    "slices"

    metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type kafkaTopic struct {
    metav1.TypeMeta   `json:",inline"`
    metav1.ObjectMeta `json:"metadata"`
    Spec              struct {
        TopicName  string         `json:"topicName,omitempty"`
        Partitions int32          `json:"partitions"`
        Replicas   int32          `json:"replicas"`
        Config     map[string]any `json:"config,omitempty"`
    } `json:"spec"`
}

type kafkaUser struct {
    metav1.TypeMeta   `json:",inline"`
    metav1.ObjectMeta `json:"metadata"`
    Spec              struct {
        Authentication struct {
            Type string `json:"type"`
        } `json:"authentication"`
        Authorization struct {
            Type string     `json:"type"`
            Acls []kafkaAcl `json:"acls"`
        } `json:"authorization"`
    } `json:"spec"`
}

type kafkaAcl struct {
    Type     string `json:"type,omitempty"`
    Host     string `json:"host,omitempty"`
    Resource struct {
        Type        string `json:"type"`
        Name        string `json:"name,omitempty"`
        PatternType string `json:"patternType,omitempty"`
    } `json:"resource"`
    Operations []string `json:"operations"`
}

var operations = []string{
    "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "AlterConfigs", "DescribeConfigs",
    "IdempotentWrite", "All",
}

// The cluster that a resource is for: an operator passes over one without it.
const clusterLabel = "strimzi.io/cluster"

func (topic *kafkaTopic) check() error {
    if topic.Spec.Partitions < 1 || topic.Spec.Replicas < 1 || topic.Labels[clusterLabel] == "" {
        return fmt.Errorf("it needs partitions, replicas, and the label %s", clusterLabel)
    }
    return nil
}

func (user *kafkaUser) check() error {
    if user.Labels[clusterLabel] == "" {
        return fmt.Errorf("it needs the label %s", clusterLabel)
    }
    if !slices.Contains([]string{"tls", "tls-external", "scram-sha-512"}, user.Spec.Authentication.Type) {
        return fmt.Errorf("there is no authentication %q", user.Spec.Authentication.Type)
    }
    if user.Spec.Authorization.Type != "simple" {
        return fmt.Errorf("there is no authorization %q", user.Spec.Authorization.Type)
    }
    for _, acl := range user.Spec.Authorization.Acls {
        resource := acl.Resource
        if !slices.Contains([]string{"topic", "group", "cluster", "transactionalId"}, resource.Type) {
            return fmt.Errorf("there is no type of resource %q", resource.Type)
        }
        if !slices.Contains([]string{"literal", "prefix"}, resource.PatternType) || resource.Name == "" {
            return fmt.Errorf("%+v names no resource", resource)
        }
        if len(acl.Operations) == 0 {
            return fmt.Errorf("%+v allows nothing", resource)
        }
        for _, operation := range acl.Operations {
            if !slices.Contains(operations, operation) {
                return fmt.Errorf("there is no operation %q", operation)
            }
        }
    }
    return nil
}
