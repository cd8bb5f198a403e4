# shellcheck shell=bash
# Kubernetes' own types, from the OpenAPI documents that its Go module and others publish; sourced
# after tools.sh. They come through Go's module proxy, by the versions below.

# The oldest release that the chart is for, and the newest that it is tested with.
kubernetes_versions() { printf '%s\n' 1.30.14 1.34.4; }

# module_folder MODULE@VERSION: prints the folder of its files.
module_folder() {
  has go || return 1
  (cd "$(mktemp -d)" && GOFLAGS=-mod=mod go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
}

# kubernetes_openapi VERSION: prints the path of its OpenAPI document.
kubernetes_openapi() {
  local folder
  folder=$(module_folder "k8s.io/kubernetes@v$1") && [[ -n $folder ]] || return 1
  echo "$folder/api/openapi-spec/swagger.json"
}

# custom_schemas FOLDER: adds those of the Prometheus operator and of the Gateway API.
custom_schemas() {
  local operator gateway kind
  operator=$(module_folder github.com/prometheus-operator/prometheus-operator@v0.80.1) && [[ -n $operator ]] || return 1
  for kind in podmonitor servicemonitor prometheusrule; do
    jq -L scripts 'include "kubernetes"; custom("v1")' "$operator/jsonnet/prometheus-operator/${kind}s-crd.json" \
      >"$1/$kind-monitoring-v1.json" || return 1
  done
  gateway=$(module_folder sigs.k8s.io/gateway-api@v1.4.0) && [[ -n $gateway ]] || return 1
  as_json "$gateway/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml" |
    jq -L scripts 'include "kubernetes"; custom("v1")' >"$1/httproute-gateway-v1.json"
}

# kubernetes_schemas VERSION: prints a folder with a JSON schema for each kind of object, named as
# kubeconform asks for them. They are strict: a field that the type does not have is refused.
kubernetes_schemas() {
  local folder document name text
  folder=$PWD/target/tools/kubernetes-$1-$(cksum <scripts/kubernetes.jq | tr -d " ")
  if [[ ! -f $folder/done ]]; then
    document=$(kubernetes_openapi "$1") || return 1
    rm -rf "$folder" && mkdir -p "$folder"
    jq 'include "kubernetes"; {definitions: strict}' -L scripts "$document" >"$folder/_definitions.json"
    while IFS=$'\t' read -r name text; do
      echo "$text" >"$folder/$name.json"
    done < <(jq -r 'include "kubernetes"; kinds' -L scripts "$document")
    custom_schemas "$folder" || return 1
    touch "$folder/done"
  fi
  echo "$folder"
}
