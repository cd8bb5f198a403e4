# JSON schemas out of Kubernetes' OpenAPI document.

# What the API server takes of these fields. The document does not say it; in values a template may
# stand there too.
def words:
  {
    "core.v1.AppArmorProfile": {type: "Localhost|RuntimeDefault|Unconfined"},
    "core.v1.Container": {
      imagePullPolicy: "Always|IfNotPresent|Never", restartPolicy: "Always|Never|OnFailure",
      terminationMessagePolicy: "File|FallbackToLogsOnError"
    },
    "core.v1.ContainerPort": {protocol: "TCP|UDP|SCTP"},
    "core.v1.EmptyDirVolumeSource": {medium: "|Memory|HugePages.*"},
    "core.v1.EnvVar": {name: "[^=]+"},
    "core.v1.HTTPGetAction": {scheme: "HTTP|HTTPS"},
    "core.v1.HostPathVolumeSource": {
      type: "|DirectoryOrCreate|Directory|FileOrCreate|File|Socket|CharDevice|BlockDevice"
    },
    "core.v1.NodeSelectorRequirement": {operator: "In|NotIn|Exists|DoesNotExist|Gt|Lt"},
    "core.v1.PersistentVolumeClaimSpec": {volumeMode: "Filesystem|Block"},
    "core.v1.PodSecurityContext": {
      fsGroupChangePolicy: "Always|OnRootMismatch", seLinuxChangePolicy: "MountOption|Recursive",
      supplementalGroupsPolicy: "Merge|Strict"
    },
    "core.v1.SeccompProfile": {type: "Localhost|RuntimeDefault|Unconfined"},
    "core.v1.SecurityContext": {procMount: "Default|Unmasked"},
    "core.v1.Toleration": {operator: "Exists|Equal", effect: "|NoSchedule|PreferNoSchedule|NoExecute"},
    "core.v1.TopologySpreadConstraint": {
      whenUnsatisfiable: "DoNotSchedule|ScheduleAnyway", nodeAffinityPolicy: "Honor|Ignore",
      nodeTaintsPolicy: "Honor|Ignore"
    },
    "core.v1.VolumeMount": {
      mountPath: "/.*", name: "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
      mountPropagation: "None|HostToContainer|Bidirectional",
      recursiveReadOnly: "Disabled|IfPossible|Enabled"
    },
    "autoscaling.v2.HPAScalingPolicy": {type: "Pods|Percent"},
    "autoscaling.v2.HPAScalingRules": {selectPolicy: "Max|Min|Disabled"},
    "autoscaling.v2.MetricSpec": {type: "ContainerResource|External|Object|Pods|Resource"},
    "autoscaling.v2.MetricTarget": {type: "Utilization|Value|AverageValue"},
    "networking.v1.NetworkPolicyPort": {protocol: "TCP|UDP|SCTP"}
  };

# Least values of numbers, by the name of the field; ports end where ports end.
def least:
  {
    containerPort: 1, hostPort: 1, failureThreshold: 1, maxSkew: 1, minDomains: 1, periodSeconds: 1,
    successThreshold: 1, timeoutSeconds: 1, initialDelaySeconds: 0, fsGroup: 0, runAsGroup: 0, runAsUser: 0,
    seconds: 1, tolerationSeconds: 0, weight: 1, stabilizationWindowSeconds: 0, averageUtilization: 1
  };

def field($name):
  (if .type == "integer" then
    (if least[$name] != null then .minimum = least[$name] else . end)
    | (if $name | test("Port$") then .maximum = 65535 elif $name == "weight" then .maximum = 100 else . end)
  else . end);

# What a type does not name is refused. `null` is no value at all, as to the API server.
def closed:
  if .type == "object" and has("properties") then .additionalProperties = false else . end
  | (.required // []) as $required
  | if has("properties") then
      .properties |= with_entries(.key as $name | .value |= (
        field($name)
        | if (.type | type) == "string" and ($required | index($name) | not) then .type = [.type, "null"] else . end
      ))
    else . end
  | if .type == "object" then .type = ["object", "null"] else . end;

def bare:
  with_entries(select(.key | startswith("x-kubernetes") | not))
  | if (.description | type) == "string" then del(.description) else . end
  | if .format == "int-or-string" then {type: ["string", "integer"]} else del(.format) end
  | if .default == {} or .default == "" then del(.default) else . end;

def quantity:
  "^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$|[{][{]";

# All definitions, closed, without what is only documentation.
def strict:
  .definitions
  | walk(if type == "object" then bare else . end)
  | map_values(closed)
  | .["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {type: ["string", "number"], pattern: quantity}
  | reduce (words | to_entries[]) as $type (.;
      reduce ($type.value | to_entries[]) as $field (.;
        .["io.k8s.api." + $type.key].properties[$field.key].pattern = "^(\($field.value))$|[{][{]"));

# The schema of a custom resource's version, of its definition.
def custom($version):
  .spec.versions[] | select(.name == $version) | .schema.openAPIV3Schema
  | walk(if type == "object" then bare else . end)
  | walk(if type == "object" then closed else . end)
  | .properties.metadata = {type: "object"};

# A line for each kind: the file's name, a tab, and a schema that leads into _definitions.json.
def kinds:
  .definitions | to_entries[]
  | .key as $type
  | .value["x-kubernetes-group-version-kind"] // [] | select(length == 1)[0]
  | ([.kind, (.group | split(".")[0] // empty), .version] | map(select(. != "")) | join("-") | ascii_downcase)
    + "\t" + ({"$ref": "_definitions.json#/definitions/\($type)"} | tojson);

# Names of the definitions that a schema refers to.
def references: [.. | objects | .["$ref"]? // empty | ltrimstr("#/definitions/") | split("/")[0]] | unique;

# Those of the wanted names and all that they lead to.
def reached($all):
  . as $wanted
  | ($wanted + [$wanted[] | $all[.] // {} | references[]] | unique) as $more
  | if $more == $wanted then $wanted else $more | reached($all) end;

# The schema of values with all the definitions that it leads to: its own and those of Kubernetes' types.
def with_types($document):
  (.definitions + ($document | strict)) as $all
  | (del(.definitions) | references | reached($all)) as $names
  | {"no such type": ($names - ($all | keys)), "nothing is of the type": ((.definitions | keys) - $names)} as $wrong
  | if $wrong | all(. == []) then . else error($wrong | tojson) end
  | .definitions = ($names | map({key: ., value: $all[.]}) | from_entries);
