/** Certificates for tests, made by openssl. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { need } from "../_need.ts";

const OPENSSL = need("openssl");

/** Files of a certificate that signs itself, for 127.0.0.1 and localhost unless it says otherwise. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** How a certificate is other than for this machine, for two days. */
export interface CertificateOptions {
  /** What it is for. */
  readonly names?: readonly string[];
  readonly days?: number;
}

/** Makes a certificate in the directory; its subject and the files carry the name. */
export function makeCertificate(
  directory: string,
  name: string,
  { names = ["IP:127.0.0.1", "DNS:localhost"], days = 2 }: CertificateOptions = {},
): CertificateFiles {
  const certFile = join(directory, `${name}.crt`);
  const keyFile = join(directory, `${name}.key`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names.join(",")}`];
  const files = ["-keyout", keyFile, "-out", certFile];
  execFileSync(OPENSSL, ["req", "-x509", ...curve, "-days", String(days), ...subject, ...files], { stdio: "ignore" });
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}
