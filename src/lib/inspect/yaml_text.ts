import { Document, visit } from "yaml";
import { isVisible, unicodeEscape, visibleLines } from "../visible.ts";

/** A value as YAML that can be printed, with a line end. Pure. */
export function yamlText(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_, node) => {
      // YAML has escapes only there.
      if (typeof node.value === "string" && !isVisible(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  return visibleLines(document.toString(), yamlEscape);
}

/** YAML knows no pairs of surrogates. */
function yamlEscape(character: string): string {
  if (character.length === 1) return unicodeEscape(character);
  return `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`;
}
