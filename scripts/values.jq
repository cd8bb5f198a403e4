# The schema of the chart's values, out of values.yaml and the comments `# @schema` in it.
#
# They are spelt as helm-values-schema-json has them, KEY: VALUE; KEY: VALUE, behind a value or
# above its description. What they do not say goes by the default: its type, and that a group of
# values has no others.

# A number, a truth or a text in quotes, or else the text that it is; a list of these.
def word: . as $text | try fromjson catch $text;
def words: word | if type == "string" and test("^\\[.*\\]$") then .[1:-1] | [splits(", *") | word] else . end;

def annotation:
  "type|enum|pattern|m(in|ax)imum|maxLength|maxItems|uniqueItems|additionalProperties|anyOf|[$]ref|itemRef|itemEnum|required"
    as $keys
  | [select(. != "") | splits(" *; *") | . as $entry
    | capture("^(?<key>\($keys)): *(?<value>.+)$") // error("not of # @schema: \($entry)")
    | if .key != "pattern" then .value = (.value | words) else . end
    # The type that is called null, not no value.
    | if .key == "type" and (.value | type) == "array" then .value |= map(tostring) else . end
  ] | from_entries;

# The type of a default, or nothing where it does not tell.
def type_of_default:
  if . == "" then "object" elif . == "[]" then "array"
  elif test("^(true|false)$") then "boolean" elif test("^-?[0-9]+$") then "integer"
  elif test("^(null|\\{\\})$") then empty else "string" end;

# The schema of one value, of its annotation and its default.
def schema_of($default):
  del(.required)
  | if has("$ref") or has("anyOf") then .
    else
      {type: (.type // [$default | type_of_default][0])}
      + (if $default == "" then {additionalProperties: false, properties: {}} else {} end)
      + (if .itemRef then {items: {"$ref": .itemRef}} else {} end)
      + (if .itemEnum then {items: {type: "string", enum: .itemEnum}} else {} end)
      + del(.itemRef, .itemEnum)
    end
  | if . == {type: null} or . == {type: "array"} then error("\($default) does not tell what it may be") else . end;

# Of lines of values.yaml each value: {path, default, annotation}.
def values_of_lines:
  foreach .[] as $line ({path: [], above: []};
    .found = null
    | if $line | test("^ *# @schema ") then .above += [$line | sub("^ *# @schema "; "")]
      elif $line | test("^ *#") then .
      elif $line | test("^ *$") then .above = []
      else
        ($line | capture("^(?<indent> *)(?<key>[A-Za-z0-9_]+):(?<default>( (\"[^\"]*\"|[^#]*[^ #]))?)( +# @schema (?<behind>.*))?$")
          // error("not understood: \($line)")) as $parts
        | .path = .path[:($parts.indent | length) / 2] + [$parts.key]
        | .found = {
            path, default: ($parts.default | ltrimstr(" ")),
            annotation: (.above + [$parts.behind // empty] | join("; ") | annotation)
          }
        | .above = []
      end;
    .found // empty);

# Lines of values.yaml, in what stands around them. What a value with a type by name holds is not ours.
def schema_of_values($around):
  reduce values_of_lines as $value ($around;
    ($value.path[:-1] | map("properties", .)) as $group
    | $value.path[-1] as $key
    | if getpath($group) | type == "object" and has("properties") then
        setpath($group + ["properties", $key]; $value.annotation
          | try schema_of($value.default) catch error("\($value.path | join(".")): \(.)"))
        | if $value.annotation.required then setpath($group + ["required"]; getpath($group).required + [$key]) else . end
      else . end)
  # The short name of a type; one of Kubernetes' has a version in it.
  | walk(if type == "object" and (.["$ref"] | type) == "string" and (.["$ref"] | startswith("#") | not) then
      .["$ref"] |= "#/definitions/" + (if test("^[a-z]+[.]v[0-9]") then "io.k8s.api." else "" end) + .
    else . end);
