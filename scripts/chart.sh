# shellcheck shell=bash
# The checks of what the chart renders, with both majors of helm where they are there; sourced by
# scripts/test.

scenarios=(charts/sidecar/ci/*-values.yaml charts/sidecar/ci/rendered/*-values.yaml)

helms() {
  local name
  for name in helm helm4; do
    if has "$name"; then echo "$name"; fi
  done
}

can_conform() { get_kubeconform && get_jq && conforms /dev/null; }

# conforms PATH [VERSION]: the objects in a file or a folder are what Kubernetes' types say, field by
# field, in the oldest and the newest release if no other is named.
conforms() {
  local path=$1 version folder
  for version in ${2:-$(kubernetes_versions)}; do
    folder=$(kubernetes_schemas "$version") || return 1
    kubeconform -strict -schema-location "$folder/{{.ResourceKind}}{{.KindSuffix}}.json" "$path" || return 1
  done
}

# renders NAME ARGUMENTS...: `helm template` with them gives the same objects with each helm. They are
# in $work/NAME.yaml afterwards, and among what all_conform looks at.
renders() {
  local name=$1 helm
  shift
  for helm in $(helms); do
    "$helm" template "$@" >"$work/$name.$helm" || return 1
    diff --ignore-blank-lines "$work/$name.helm" "$work/$name.$helm" || return 1
  done
  mv "$work/$name.helm" "$work/$name.yaml"
  mkdir -p "$work/rendered"
  cp "$work/$name.yaml" "$(mktemp "$work/rendered/$name-XXXX.yaml")"
  [[ -s $work/$name.yaml ]]
}

# all_conform: one test per release of Kubernetes, of all that was rendered.
all_conform() {
  local version
  for version in $(kubernetes_versions); do
    counted "what was rendered conforms to Kubernetes $version" conforms "$work/rendered" "$version"
  done
}

# distinct FILE: no two objects of it are of the same kind and name.
distinct() {
  local twice
  [[ -n $(objects "$1") ]] || return 1
  twice=$(objects "$1" | sort | uniq -d)
  [[ -z $twice ]] || { echo "twice: $twice" && return 1; }
}

# objects FILE: kind and name of each.
objects() {
  awk '/^---/ {kind = ""; inside = 0}
    /^kind:/ {kind = $2}
    /^metadata:/ {inside = 1}
    inside && /^  name:/ {gsub(/"/, "", $2); print kind "/" $2; inside = 0}' "$1"
}

# The sidecars for manifests without helm.
kustomize() {
  local work name
  get_helm || { skip kustomize "no helm" && return; }
  can_conform || { skip kustomize "no kubeconform, jq or Go module proxy" && return; }
  get_kustomize || { skip kustomize "no kubectl or kustomize" && return; }
  work=$(mktemp -d)
  mkdir "$work/written"
  scripts/kustomize "$work/written"
  for name in configmap pods cronjobs; do
    counted "kustomize's $name is scripts/kustomize's" diff -u "charts/kustomize/$name.yaml" "$work/written/$name.yaml"
  done
  counted "kustomize puts the sidecars into the example, where it has the label" injects charts/sidecar/ci/kustomize 4
  for name in Deployment StatefulSet DaemonSet Job; do
    counted "kustomize puts the sidecars into a $name" injects_into "$name"
  done
  rm -r "$work"
}

build() { if has kubectl; then kubectl kustomize "$1"; else command kustomize build "$1"; fi; }

# injects FOLDER COUNT: what it builds conforms, and has so many native sidecars.
injects() {
  local count
  build "$1" >"$work/built.yaml" && conforms "$work/built.yaml" || return 1
  count=$(grep -c '^ *restartPolicy: Always$' "$work/built.yaml")
  [[ $count = "$2" ]] || { echo "$count sidecars" && return 1; }
}

# injects_into KIND: into a workload of that kind with init containers and volumes of its own, which stay.
injects_into() {
  local folder selector='' service=''
  # A folder beside the component's, for kustomize takes no absolute paths.
  folder=$(mktemp -d charts/kustomize-XXXXXX)
  [[ $1 = Job ]] || selector='selector: {matchLabels: {app: a}}'
  [[ $1 != StatefulSet ]] || service='serviceName: a'
  cat >"$folder/kustomization.yaml" <<EOF
resources: [workload.yaml]
components: [../kustomize]
EOF
  cat >"$folder/workload.yaml" <<EOF
apiVersion: $([[ $1 = Job ]] && echo batch/v1 || echo apps/v1)
kind: $1
metadata: {name: a, labels: {sidecar-kit/inject: "true"}}
spec:
  $selector
  $service
  template:
    metadata: {labels: {app: a}}
    spec:
      $([[ $1 != Job ]] || echo 'restartPolicy: Never')
      initContainers: [{name: own, image: b}]
      containers: [{name: a, image: a, volumeMounts: [{name: logs, mountPath: /var/log/app}]}]
      volumes: [{name: own, emptyDir: {}}]
EOF
  injects "$folder" 2 && [[ $(grep -c 'name: own$' "$work/built.yaml") = 2 ]]
  local status=$?
  rm -r "$folder"
  return "$status"
}

# Each value in README.md is set by a file in ci, and what is rendered is another without it there.
values() {
  local work
  get_helm || { skip values "no helm" && return; }
  get_jq || { skip values "no jq" && return; }
  work=$(mktemp -d)
  counted "each value that a template reads is in values.yaml" quietly each_used_value_exists
  counted "each value may be null, or is refused by its path" each_value_may_be_null
  counted "each value is set in ci and changes what is rendered" each_value_matters
  counted "what the containers request is what footprint.json leads to" requests_are_the_footprints
  rm -r "$work"
}

# Each path that a template reads is one of values.yaml, by itself or through a variable of its file.
each_used_value_exists() {
  local file variable path
  find charts/sidecar/templates -type f >"$work/templates"
  while read -r file; do
    grep -oE '\.Values(\.[A-Za-z]+)+' "$file" | sed 's/^\.Values\.//' || true
    while read -r variable path; do
      grep -oE "[$]$variable(\.[A-Za-z]+)+" "$file" | sed "s/^.$variable/$path/" || true
    done < <(sed -nE '/range/d; s/.*[$]([a-z]+) := [$]?[.]Values[.]([A-Za-z.]+) *-?}}.*/\1 \2/p' "$file" | sort -u)
  done <"$work/templates" | sort -u >"$work/used"
  [[ $(wc -l <"$work/used") -gt 100 ]] || { echo "no values were found in the templates" && return 1; }
  as_json charts/sidecar/values.yaml | jq -er --rawfile used "$work/used" '
    # Below an empty value and below a text stands what is not ours.
    def known($path): if ($path | length) == 0 or type != "object" or length == 0 then true
      else has($path[0]) and (.[$path[0]] | known($path[1:])) end;
    . as $values | [$used | split("\n")[] | select(. != "" and ((. / ".") as $path | $values | known($path) | not))]
    | if length == 0 then true else join(" ") | halt_error end'
}

# Without a value, which is what `null` says, the chart renders, or the schema names its path.
each_value_may_be_null() {
  local key status=0
  while read -r key; do
    if ! helm template demo charts/sidecar --set "$key=null" >/dev/null 2>"$work/why" && ! grep -q " at '" "$work/why"; then
      echo "$key: $(head -n 1 "$work/why")" && status=1
    fi
  done < <(values_of_readme)
  return "$status"
}

# The names in README.md's table.
values_of_readme() { sed -n 's/^| \([a-zA-Z.]*\) | [a-z/]* | .*/\1/p' charts/sidecar/README.md; }

each_value_matters() {
  local file key given
  values_of_readme >"$work/keys"
  [[ $(wc -l <"$work/keys") -gt 100 ]] || { echo "README.md has no table of values" && return 1; }
  for file in "${scenarios[@]}"; do
    given=$(as_json "$file")
    helm template demo charts/sidecar --values "$file" >"$work/with" || return 1
    for key in $(jq -r --rawfile keys "$work/keys" '
      . as $given | $keys | split("\n")[] | select(. != "")
      | select(split(".") as $path | try ($given | getpath($path[:-1]) | has($path[-1])) catch false)' <<<"$given"); do
      jq --arg key "$key" 'delpaths([$key | split(".")])' <<<"$given" >"$work/without.json"
      helm template demo charts/sidecar --values "$work/without.json" >"$work/without" 2>/dev/null || true
      cmp -s "$work/with" "$work/without" || sed -i "/^$key\$/d" "$work/keys"
    done
  done
  [[ ! -s $work/keys ]] || { echo "without effect or not in ci: $(xargs <"$work/keys")" && return 1; }
}

# Idle times ten in CPU, and times four in memory: its anonymous memory, and its image's, all of which
# may be in the page cache. Each is rounded up to the unit that it is written in.
requests_are_the_footprints() {
  diff --label values.yaml --label footprint.json -u \
    <(as_json charts/sidecar/values.yaml | jq -c '
      {app, proxy, "log-scraper": .logScraper} | to_entries[] | [.key, .value.resources.requests.cpu, .value.resources.requests.memory]') \
    <(jq -c '
      . as $idle | {app: "hello-app", proxy: "proxy", "log-scraper": "log-scraper"} | to_entries[]
      | [.key, "\($idle.idle_cpu_us_per_second[.key] * 10 / 1000 | ceil)m",
          "\(($idle.idle_anonymous_bytes[.key] + $idle.image_bytes[.value]) * 4 / 1048576 | ceil)Mi"]' charts/sidecar/footprint.json)
}

# Every set of values in ci, and names of every kind that YAML could take for something else.
manifests() {
  local work values name
  get_helm || { skip manifests "no helm" && return; }
  can_conform || { skip manifests "no kubeconform, jq or Go module proxy" && return; }
  work=$(mktemp -d)
  counted "what ci's values give is as in ci/snapshots" snapshots_agree
  for values in "${scenarios[@]}"; do
    name=$(basename "$values" -values.yaml)
    counted "helm template $name" renders "$name" demo charts/sidecar --values "$values"
  done
  for name in 123 12e5 0b1 0x1f 0o17 1-2 null true no y on inf; do
    counted "helm template with names like $name" names_like "$name"
  done
  counted "a parent chart's StatefulSet takes native sidecars in" parent_has '^          restartPolicy: Always$' 2
  counted "a parent chart's StatefulSet takes plain sidecars in" \
    parent_has '^        - name: (log-scraper|proxy|shop)$' 3 --set sidecar.nativeSidecars=false
  counted "a parent chart's pods carry their configuration" \
    parent_has 'sidecar-kit/nginx.conf' 4 --set sidecar.proxy.reload=rollout
  counted "a parent chart has the only workload, and no Service of the sidecars" parent_has '^kind: (StatefulSet|Deployment|Service|ServiceAccount)$' 2
  counted "a Job is called by its content" job_names
  counted "the dashboard's panels are whole" dashboard
  counted "two aliases have names apart" aliases a-b a b
  counted "two aliases have names apart in a long release" aliases \
    a-release-name-of-exactly-fifty-three-characters-okay one two
  counted "a configuration of 256 KiB with the other annotations travels in the pods" sized 262080 rollout --set tests.enabled=false
  counted "a configuration of a byte more is refused" refuses "annotations of the pods" sized 262081 rollout --set tests.enabled=false
  counted "a configuration of 256 KiB with a test's annotations travels in its pod" sized 262045 rollout
  counted "a configuration of a byte more is refused, for the test" refuses "annotations of the pods" sized 262046 rollout
  counted "a configuration of 1 MiB with the chart's template and their names is a ConfigMap" sized 1047804 hot
  counted "a configuration of a byte more is refused there" refuses "a ConfigMap holds 1048576" sized 1047805 hot
  all_conform
  rm -r "$work"
}

# scripts/snapshots writes them anew, after a change that is meant.
snapshots_agree() { scripts/snapshots "$work/snapshots" && diff -ru charts/sidecar/ci/snapshots "$work/snapshots"; }

# parent ARGUMENTS...: the worked parent chart, with the chart as its dependency.
parent() {
  local folder=$work/worked
  rm -rf "$folder" && cp -r charts/sidecar/ci/parent "$folder" && mkdir "$folder/charts"
  cp -r charts/sidecar "$folder/charts/sidecar"
  renders parent demo "$folder" "$@" && distinct "$work/parent.yaml"
}

# parent_has PATTERN COUNT ARGUMENTS...: so many lines of what it renders hold the pattern.
parent_has() {
  local count
  parent "${@:3}" && count=$(grep -cE -- "$1" "$work/parent.yaml")
  [[ $count = "$2" ]] || { echo "$1: $count" && return 1; }
}

# A Job of the same content has the same name, and one of other content another.
job_names() {
  local same other
  renders job demo charts/sidecar --set workload.kind=Job && same=$(objects "$work/job.yaml" | grep ^Job/) || return 1
  renders job demo charts/sidecar --set workload.kind=Job,annotations.a=b,service.port=81 || return 1
  objects "$work/job.yaml" | grep -qFx "$same" || return 1
  renders job demo charts/sidecar --set workload.kind=Job,drainSeconds=6 && other=$(objects "$work/job.yaml" | grep ^Job/)
  [[ -n $other && $other != "$same" ]]
}

# What Grafana draws: each panel has its own number and place, a name, and something to ask the data
# source that the reader chose.
dashboard() {
  jq -e '
    [.panels[].id] as $ids | ($ids | length) == ($ids | unique | length)
    and ([.panels[] | .gridPos as {$x, $y, $w, $h} | [range($x; $x + $w)] | map([., range($y; $y + $h)])]
         | flatten(1) | length) == ([.panels[] | .gridPos as {$x, $y, $w, $h} | [range($x; $x + $w)]
         | map([., range($y; $y + $h)])] | flatten(1) | unique | length)
    and all(.panels[]; .title != "" and .gridPos.x + .gridPos.w <= 24)
    and all(.panels[] | select(.type != "row");
      .datasource.uid == "${datasource}" and (.targets | length) > 0 and .fieldConfig.defaults.unit != ""
      and all(.targets[]; (.expr | contains("namespace=~\"$namespace\"")) and .legendFormat != ""))
    and ([.templating.list[].name] == ["datasource", "namespace", "pod"])
  ' charts/sidecar/files/dashboard.json >/dev/null
}

# refuses TEXT COMMAND...: the command fails, and says so.
refuses() {
  local text=$1
  shift
  if "$@" >"$work/refused" 2>&1; then echo "accepted" && return 1; fi
  grep -qF -- "$text" "$work/refused" || { cat "$work/refused" && return 1; }
}

# sized BYTES RELOAD ARGUMENTS...: a configuration of so many bytes.
sized() {
  local text='http { server { listen 8080; } } #'
  { echo -n "$text" && head -c "$(($1 - ${#text}))" /dev/zero | tr '\0' '#'; } >"$work/nginx.conf"
  renders "sized" demo charts/sidecar --set-file "proxy.config=$work/nginx.conf" --set "proxy.reload=$2" "${@:3}"
}

# names_like NAME: whatever may be named is named so.
names_like() {
  local full=$1 strings=() path
  [[ $full =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] || full=web
  for path in priorityClassName runtimeClassName serviceAccount.name proxy.existingConfigMap \
    nameOverride app.image.tag proxy.image.tag imagePullSecrets[0] service.loadBalancerClass \
    labels.team annotations.team podLabels.tier podAnnotations.tier nodeSelector.zone service.labels.l; do
    strings+=(--set-string "$path=$1")
  done
  renders "names-$1" "$1" charts/sidecar --namespace "$1" --set service.type=LoadBalancer \
    --set-string "fullnameOverride=$full" --set-string 'app.env[0].name=NAME' --set-string "app.env[0].value=$1" \
    "${strings[@]}"
}

# aliases RELEASE ALIAS ALIAS: the chart twice in a parent chart, each with names of its own.
aliases() {
  local parent=$work/parent
  rm -rf "$parent" && mkdir -p "$parent/charts" && cp -r charts/sidecar "$parent/charts/sidecar"
  cat >"$parent/Chart.yaml" <<EOF
apiVersion: v2
name: parent
version: 0.0.0
dependencies:
  - {name: sidecar, version: "*", alias: $2}
  - {name: sidecar, version: "*", alias: $3}
EOF
  renders "aliases-$1" "$1" "$parent" && distinct "$work/aliases-$1.yaml"
}
