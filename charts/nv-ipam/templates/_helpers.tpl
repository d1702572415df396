{{- define "nv-ipam.labels" -}}
app: nvidia-k8s-ipam
{{- end }}

{{- define "nv-ipam.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Whether the CRDs have their rules (CEL), some of whose functions Kubernetes has since 1.31. */}}
{{- define "nv-ipam.hasRules" -}}
{{- if eq .Values.crds.rules "auto" -}}
{{- if semverCompare ">=1.31.0-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- else if eq .Values.crds.rules "on" }}true{{ end -}}
{{- end }}

{{/* Takes the rules out of a part of a schema, in place. */}}
{{- define "nv-ipam.dropRules" -}}
{{- if kindIs "map" . -}}
{{- $_ := unset . "x-kubernetes-validations" -}}
{{- range . }}{{ include "nv-ipam.dropRules" . }}{{ end -}}
{{- else if kindIs "slice" . -}}
{{- range . }}{{ include "nv-ipam.dropRules" . }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "nv-ipam.probes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: probes
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /healthz
    port: probes
  periodSeconds: 20
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: /readyz
    port: probes
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* What both pods take from their part of the values. */}}
{{- define "nv-ipam.placement" -}}
priorityClassName: {{ .priorityClassName }}
enableServiceLinks: false
nodeSelector: {{- toYaml .nodeSelector | nindent 2 }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
tolerations: {{- toYaml .tolerations | nindent 2 }}
{{- end }}
