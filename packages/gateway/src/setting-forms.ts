/** Whether a text is a value of the form that a setting has; reasons in the words of redis config.c. */
import { parseMemory } from "@headrace/meta";
import type { SettingForm } from "./redis-settings.ts";

/** The value as it is kept and shown, or why it is none. */
export type ReadValue = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly reason: string };

export function readValue(form: SettingForm, text: string): ReadValue {
  switch (form.kind) {
    case "yesNo": {
      const word = text.toLowerCase();
      return word === "yes" || word === "no" ? taken(word) : refused("argument must be 'yes' or 'no'");
    }
    case "integer": {
      const number = readInteger(text);
      if (number === null) return refused("argument couldn't be parsed into an integer");
      return inRange(number, form.least, form.most);
    }
    case "memory": {
      const bytes = parseMemory(text);
      return bytes === null ? refused("argument must be a memory value") : taken(String(bytes));
    }
    case "words": {
      const word = text.toLowerCase();
      if (form.words.includes(word)) return taken(word);
      return refused(`argument(s) must be one of the following: ${form.words.join(", ")}`);
    }
    case "text":
      return taken(text);
    default:
      form satisfies never;
      return refused("argument of an unknown form");
  }
}

/** A number of bytes between two bounds, with Redis' units. */
export function readBytes(text: string, least: number, most: number): ReadValue {
  const bytes = parseMemory(text);
  return bytes === null ? refused("argument must be a memory value") : inRange(bytes, least, most);
}

function inRange(number: number, least: number, most: number): ReadValue {
  if (number >= least && number <= most) return taken(String(number));
  return refused(`argument must be between ${least} and ${most} inclusive`);
}

function readInteger(text: string): number | null {
  if (!/^(0|-?[1-9]\d{0,15})$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

export function taken(value: string): ReadValue {
  return { ok: true, value };
}

export function refused(reason: string): ReadValue {
  return { ok: false, reason };
}
