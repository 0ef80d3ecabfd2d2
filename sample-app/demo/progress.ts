/** One line that changes on a terminal; elsewhere a line for each quarter of the way. */
export class Progress {
  private quarter = 0;

  constructor(
    private readonly title: string,
    private readonly out: NodeJS.WriteStream = process.stdout,
  ) {}

  update(done: number, of: number): void {
    const line = `  ${this.title.padEnd(12)}${done} of ${of}`;
    if (this.out.isTTY) {
      this.out.write(`\r\u001b[2K${line}${done === of ? '\n' : ''}`);
      return;
    }
    const quarter = Math.max(this.quarter, Math.floor((4 * done) / of));
    if (quarter > this.quarter) this.out.write(`${line}\n`);
    this.quarter = quarter;
  }
}
