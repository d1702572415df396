/** A server's certificate and key. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { fail, ok, type Result } from "../result.ts";

/** PEM texts that belong together. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** From when on clients refuse it. */
  readonly expires: Date;
}

/** Reads both files. @returns why they cannot be used: one is missing, or they do not belong together. */
export async function readCertificate(certFile: string, keyFile: string): Promise<Result<Certificate, string>> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return ok({ cert, key, expires: new X509Certificate(cert).validToDate });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return fail(`the certificate ${certFile} with the key ${keyFile} cannot be used: ${message}`);
  }
}
