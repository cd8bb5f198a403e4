{{/* What the notes say of a workload that serves, and of one that ends. Each begins and ends with a line feed. */}}

{{- define "sidecar.notesService" -}}
{{- $name := include "sidecar.fullname" . -}}
{{- $kubectl := printf "kubectl --namespace %s" .Release.Namespace -}}
{{- $port := int .Values.service.port }}
Wait until it is ready:

  {{ $kubectl }} rollout status {{ include "sidecar.kind" . | lower }}/{{ $name }}

Ask it for a page:
{{ if eq .Values.service.type "LoadBalancer" }}
  {{ $kubectl }} wait service/{{ $name }} --for=jsonpath='{.status.loadBalancer.ingress}' --timeout=300s
  ADDRESS=$({{ $kubectl }} get service {{ $name }} --output jsonpath='{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}')
  curl "http://$ADDRESS{{ if ne $port 80 }}:{{ $port }}{{ end }}{{ .Values.tests.path }}"
{{- else if eq .Values.service.type "NodePort" }}
  NODE=$(kubectl get nodes --output jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
  PORT=$({{ $kubectl }} get service {{ $name }} --output jsonpath='{.spec.ports[0].nodePort}')
  curl "http://$NODE:$PORT{{ .Values.tests.path }}"
{{- else }}
  {{ $kubectl }} port-forward service/{{ $name }} 8080:{{ $port }} &
  sleep 2
  curl "http://127.0.0.1:8080{{ .Values.tests.path }}"
{{- end }}
{{ end -}}

{{- define "sidecar.notesJob" -}}
{{- $kubectl := printf "kubectl --namespace %s" .Release.Namespace }}
{{- if eq (include "sidecar.kind" .) "Job" }}
Wait until it has ended:

  {{ $kubectl }} wait job/{{ include "sidecar.jobName" . }} --for=condition=complete --timeout=600s
{{- else }}
Run it now:

  {{ $kubectl }} create job {{ include "sidecar.fullname" . }}-now --from=cronjob/{{ include "sidecar.fullname" . }}
{{- end }}
{{ end -}}
