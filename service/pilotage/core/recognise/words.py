"""What files, folders and keys are called in GitOps repositories."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IGNORED_FOLDERS = words("""
    .git .github .gitlab .circleci .vscode .idea .devcontainer node_modules vendor testdata
    fixtures .fixtures templates tests __tests__ __snapshots__ expected terraform
""")
"""No version is promoted in these; `templates` are Helm's, which are no YAML."""

ENVIRONMENT_FOLDERS = words("""
    env envs environment environments overlay overlays stage stages cluster clusters
""")
"""Each folder in one of these is an environment, whatever else its name says."""

GENERIC = words("""
    values kustomization chart deployment deploy statefulset daemonset cronjob rollout service svc
    ingress config configmap version versions image images application applicationset helmrelease
    release patch app main default settings requirements hpa pdb namespace secret secrets
    base overlay overlays env envs environment environments apps charts helm k8s kubernetes
    manifests deployments clusters cluster common shared global
""")
"""What files and folders are called for what they are: these alone are no services."""

GENERIC_FOLDERS = GENERIC | words("""
    services components argocd kustomize gitops configs infra infrastructure stages teams src
""")
"""Nor do these name a pipeline."""

WORKLOADS = words("Deployment StatefulSet DaemonSet Rollout CronJob Job Pod ReplicaSet")
WITHOUT_VERSIONS = words("""
    CustomResourceDefinition Secret SealedSecret ConfigMap ExternalSecret Namespace ApplicationSet
""")
TAG_KEYS = words("tag newTag imageTag image_tag chartTag chart_tag digest")
VERSION_KEYS = words("""
    version appVersion app_version chartVersion chart_version imageVersion image_version
    targetRevision revision release sha
""")
OTHER_VERSION_KEYS = words("apiVersion kubeVersion kubernetesVersion schemaVersion minVersion")
ENCRYPTION = words("sops")
"""What stands below is the encryption's own: its version is nobody's release."""
DEPENDENCIES = words("""
    postgresql postgres postgresqlHa pgbouncer mysql mariadb mongodb redis valkey keydb memcached
    rabbitmq kafka zookeeper nats elasticsearch opensearch clickhouse cassandra minio etcd consul
    vault keycloak oauth2Proxy nginx envoy haproxy busybox kubectl prometheus metrics
    volumePermissions
""")
"""Below these keys of Helm's values stands somebody else's software, which goes its own way."""
PATH_WORDS = words("""
    image images tag newTag version spec source values template containers helm digest
""")
"""Keys that name no service."""
