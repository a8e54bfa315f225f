/** Commands in documents that tests run: the lines of the code blocks behind `<!-- tested: redis-cli -->`, or of another program. */

export function testedCommands(markdown: string, program: string = "redis-cli"): readonly string[] {
  const marked = new RegExp(`<!-- tested: ${program} -->\n\`\`\`sh\n([^]*?)\`\`\``, "g");
  const blocks = [...markdown.matchAll(marked)].map((match) => match[1]!);
  return blocks.flatMap((block) => block.split("\n")).filter((line) => line !== "" && !line.startsWith("#"));
}

/** The words that a shell would make of a line: single and double quotes, no escapes and no substitution (asserted). */
export function shellWords(line: string): readonly string[] {
  if (/[\\$`;|&]/.test(line)) throw new Error(`too much shell for a document: ${line}`);
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]!);
}
