/** docker-compose.yml as its services are started: anchors merged, `${NAME:-default}` filled in. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly stop_grace_period?: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export function readCompose(path: string): ComposeFile {
  const text = readFileSync(path, "utf8").replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");
  return parse(text, { merge: true }) as ComposeFile;
}

/** Services that run our image. */
export function ownServices(file: ComposeFile): readonly (readonly [string, ComposeService])[] {
  return Object.entries(file.services).filter(([, service]) => service.image.startsWith("headrace:"));
}
