# JSON schemas out of Kubernetes' OpenAPI document.

# A schema that refuses what the type does not name. `null` is no value at all, as to the API.
def closed:
  if type != "object" then .
  else
    if .type == "object" and has("properties") and (has("additionalProperties") | not)
    then .additionalProperties = false else . end
    | if .format == "int-or-string" then {type: ["string", "integer"]} else . end
  end;

# All definitions, with what is only documentation left out.
def strict:
  .definitions | with_entries(.value |= (
    walk(if type == "object" then with_entries(select(.key | startswith("x-kubernetes") | not)) else . end)
    | walk(closed)
    | if .description then del(.description) else . end
  ))
  | .["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {type: ["string", "number"]};

# A line for each kind: the file's name, a tab, and a schema that leads into _definitions.json.
def kinds:
  .definitions | to_entries[]
  | .key as $type
  | .value["x-kubernetes-group-version-kind"] // [] | select(length == 1)[0]
  | ([.kind, (.group | split(".")[0] // empty), .version] | map(select(. != "")) | join("-") | ascii_downcase)
    + "\t" + ({"$ref": "_definitions.json#/definitions/\($type)"} | tojson);
