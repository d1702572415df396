/** A DNS subdomain (RFC 1123), as Kubernetes names nodes; up to 253 characters. */
const NODE_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether a text may be a node's name. */
export function isNodeName(text: string): boolean {
  return NODE_NAME.test(text);
}
