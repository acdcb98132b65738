/** What job scripts read, to wait for their uploads. Rewritten on every change. */
import { writeFileSync } from "node:fs";

interface JobState {
  id: string;
  status: "running" | "completed" | "failed";
  start: string;
  exitTime?: string;
  exitCode?: number;
  end?: string;
  activeUploads: string[];
  activeDownloads: string[];
}

const now = () => new Date().toISOString();

export class StateFile {
  readonly #path: string;
  readonly #state: { start: string; jobs: JobState[] } = { start: now(), jobs: [] };

  constructor(path: string) {
    this.#path = path;
    this.#write();
  }

  started(id: string): void {
    this.#state.jobs.push({ id, status: "running", start: now(), activeUploads: [], activeDownloads: [] });
    this.#write();
  }
  exited(id: string, exitCode: number): void {
    this.#change(id, { exitTime: now(), exitCode });
  }
  ended(id: string, status: "completed" | "failed"): void {
    this.#change(id, { end: now(), status });
  }
  uploading(id: string, path: string): void {
    this.#change(id, { activeUploads: [...(this.#find(id)?.activeUploads ?? []), path] });
  }
  uploaded(id: string, path: string): void {
    this.#change(id, { activeUploads: (this.#find(id)?.activeUploads ?? []).filter((one) => one !== path) });
  }

  /** The newest of that id: a job may come again. */
  #find(id: string): JobState | undefined {
    return this.#state.jobs.findLast((job) => job.id === id);
  }
  #change(id: string, change: Partial<JobState>): void {
    Object.assign(this.#find(id) ?? {}, change);
    this.#write();
  }
  #write(): void {
    writeFileSync(this.#path, JSON.stringify(this.#state, null, 2));
  }
}
