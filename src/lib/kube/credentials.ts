/** What a request needs to trust the server and to be trusted, read anew as certificates and tokens rotate. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { rootCertificates } from "node:tls";
import type { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { fail, ok, type Result } from "../result.ts";
import { exceptionText, type KubeError, localError } from "./error.ts";

/** The options of node:tls that a kubeconfig decides. */
export interface TlsOptions {
  readonly ca: string | Buffer | readonly string[];
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** How to connect, and the headers that say who we are. */
export interface Credentials {
  readonly tls: TlsOptions;
  /** Credentials with the same fingerprint may share connections: it covers all of `tls`. */
  readonly fingerprint: string;
  readonly headers: Readonly<Record<string, string>>;
}

type Applied = RequestOptions & { readonly servername?: string };

/** Reads the files, and runs the credential plugin if there is one. Errors are of code `credentials`. */
export async function readCredentials(config: KubeConfig): Promise<Result<Credentials, KubeError>> {
  try {
    const applied: Applied = {};
    await config.applyToHTTPSOptions(applied);
    const tls = tlsOf(applied);
    const fingerprint = createHash("sha256").update(JSON.stringify(tls)).digest("hex");
    return ok({ tls, fingerprint, headers: { ...headersOf(applied), ...(await tokenOf(config)) } });
  } catch (error) {
    // V8 quotes what it could not parse, and that may be a token.
    const text = error instanceof SyntaxError ? "the credential plugin printed no JSON" : exceptionText(error);
    return fail(localError("credentials", `the credentials cannot be read: ${text}`));
  }
}

/** A given `ca` is all that is trusted: with none, Node would add what NODE_EXTRA_CA_CERTS names to its own roots. */
function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: Applied): TlsOptions {
  return {
    ca: (ca as string | Buffer | undefined) ?? rootCertificates,
    ...(cert === undefined ? {} : { cert: cert as string | Buffer }),
    ...(key === undefined ? {} : { key: key as string | Buffer }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

function headersOf({ headers = {}, auth }: Applied): Record<string, string> {
  const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  if (auth) given.push(["authorization", `Basic ${Buffer.from(auth).toString("base64")}`]);
  return Object.fromEntries(given);
}

/** KubeConfig reads a token file once a minute and keeps the end of its line: it is read here each time. */
async function tokenOf(config: KubeConfig): Promise<Record<string, string>> {
  const file = config.getCurrentUser()?.authProvider?.config?.tokenFile;
  if (typeof file !== "string") return {};
  return { authorization: `Bearer ${(await readFile(file, "utf8")).trim()}` };
}
