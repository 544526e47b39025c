// Reads a CSV off the main thread, piece by piece, and profiles it.
import Papa from 'papaparse';
import type { Profile } from '@/lib/api/types';
import { BadCsv, Profiler } from './profile';

export type ProfileNews = { kind: 'progress'; bytes: number } | { kind: 'done'; profile: Profile } | { kind: 'failed'; message: string };

const post = (news: ProfileNews): void => self.postMessage(news);

function profileFile(file: File): void {
  const profiler = new Profiler();
  let started = false;
  let broken: Error | null = null;
  Papa.parse<string[]>(file, {
    skipEmptyLines: 'greedy',
    chunk: ({ data, errors, meta }, parser) => {
      try {
        const wrong = errors.find((error) => error.type === 'Quotes');
        if (wrong) throw new BadCsv(`The quotes near row ${(wrong.row ?? 0) + 1} do not close. Mend the line and drop the file again.`);
        for (const row of data) {
          if (started) profiler.add(row);
          else profiler.start(row.map((cell, i) => (i === 0 ? cell.replace(/^\uFEFF/, '') : cell)));
          started = true;
        }
        post({ kind: 'progress', bytes: meta.cursor });
      } catch (error) {
        broken = error instanceof Error ? error : new Error(String(error));
        parser.abort();
      }
    },
    complete: () => {
      try {
        if (broken) throw broken;
        if (!started) throw new BadCsv('The file is empty. Drop a CSV with a header line and rows.');
        post({ kind: 'done', profile: profiler.finish() });
      } catch (error) {
        post({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
      }
    },
    error: (error) => post({ kind: 'failed', message: `The file could not be read: ${error.message}` }),
  });
}

self.onmessage = (event: MessageEvent<File>) => profileFile(event.data);
