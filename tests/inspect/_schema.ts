/** Holds documents against the published schema. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";

const text = readFileSync(new URL("../../docs/inspect.schema.json", import.meta.url), "utf8");
const validate = new Ajv2020({ allErrors: true }).compile(JSON.parse(text));

/** What the schema finds wrong with a document; "" for a document that keeps it. */
export function schemaErrors(document: unknown): string {
  return validate(document) ? "" : JSON.stringify(validate.errors, null, 2);
}
