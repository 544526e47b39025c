// Training as it happens: what is known so far, then the server's events one by one.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { BASE } from '@/lib/api/client';
import { isMoving, jobProgress } from '@/lib/api/jobs';
import type { Job, TrainingEvent } from '@/lib/api/types';

export interface LiveEvents {
  events: TrainingEvent[];
  /** `live`: the connection stands; `lost`: it is being made again; `still`: nothing can come any more. */
  line: 'live' | 'lost' | 'still';
}

const AGAIN_MS = 3_000;

export function useJobEvents(job: Job): LiveEvents {
  const queries = useQueryClient();
  const known = useQuery({ queryKey: ['job', job.id, 'progress'], queryFn: ({ signal }) => jobProgress(job.id, signal), staleTime: Infinity, refetchOnWindowFocus: false });
  const [heard, setHeard] = useState<TrainingEvent[]>([]);
  const [line, setLine] = useState<LiveEvents['line']>('still');
  const [tries, setTries] = useState(0);
  const moving = isMoving(job.state);
  // What cannot be had from before does not keep the page from following what comes.
  const start = known.data ? (known.data.events[known.data.events.length - 1]?.seq ?? 0) : known.isError ? 0 : null;

  useEffect(() => {
    if (!moving || start === null) return undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    // The browser makes a lost connection again by itself and says which event it heard last; a refused one it gives up, so we try anew.
    const source = new EventSource(`${BASE}jobs/${job.id}/events?after=${start}`);
    source.onopen = () => setLine('live');
    source.onerror = () => {
      setLine('lost');
      if (source.readyState === EventSource.CLOSED) again = setTimeout(() => setTries((before) => before + 1), AGAIN_MS);
    };
    source.addEventListener('progress', (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as TrainingEvent;
      setHeard((before) => (before.some((known) => known.seq === event.seq) ? before : [...before, event]));
    });
    source.addEventListener('job', () => void queries.invalidateQueries({ queryKey: ['job', job.id], exact: true }));
    return () => {
      clearTimeout(again);
      source.close();
      setLine('still');
    };
  }, [job.id, moving, start, queries, tries]);

  const events = useMemo(() => {
    const all = [...(known.data?.events ?? []), ...heard];
    return [...new Map(all.map((event) => [event.seq, event])).values()].sort((a, b) => a.seq - b.seq);
  }, [known.data, heard]);
  return { events, line };
}
