{{- define "mtls-ingress.labels" -}}
app.kubernetes.io/component: controller
app.kubernetes.io/name: mtls-ingress
{{- end -}}

{{- define "mtls-ingress.metadata" -}}
name: mtls-ingress
namespace: {{ .Release.Namespace }}
labels:
  {{- include "mtls-ingress.labels" . | nindent 2 }}
{{- end -}}

{{- define "mtls-ingress.cluster-metadata" -}}
name: mtls-ingress
labels:
  {{- include "mtls-ingress.labels" . | nindent 2 }}
{{- end -}}

{{- define "mtls-ingress.probe" -}}
httpGet:
  path: {{ .path }}
  port: admin
  {{- if .values.hostNetwork }}
  host: 127.0.0.1
  {{- end }}
  {{- if .values.metrics.serviceMonitor }}
  scheme: HTTPS
  {{- end }}
{{- end -}}
