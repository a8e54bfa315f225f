/** What Redis accepts as a client's name and as an attribute's value: printable ASCII without blanks. */
export function isClientName(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 33 || code > 126) return false;
  }
  return true;
}
