/** One event of a stream (WHATWG HTML, server-sent events). */
export interface StreamEvent {
  name: string;
  data: string;
}

/**
 * Reads the text of an event stream as it comes, in whatever pieces. Unlike the browser's own EventSource it knows the id of the last block also where
 * that said nothing else: the node marks its place so when nothing happens.
 */
export class StreamReader {
  /** The id after which to go on. */
  id = '';
  private rest = '';
  private name = '';
  private data: string[] = [];
  private idOfBlock = '';

  /** Takes the next piece and gives the events that are whole by now. */
  push(piece: string): StreamEvent[] {
    const out: StreamEvent[] = [];
    const text = this.rest + piece;
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.line(line, out);
    return out;
  }

  private line(line: string, out: StreamEvent[]) {
    if (line === '') {
      this.id = this.idOfBlock;
      if (this.data.length) out.push({ name: this.name || 'message', data: this.data.join('\n') });
      this.name = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.name = value;
    if (field === 'data') this.data.push(value);
    if (field === 'id' && !value.includes('\0')) this.idOfBlock = value;
  }
}
