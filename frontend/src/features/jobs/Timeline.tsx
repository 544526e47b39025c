// What happened to a job, in order, with who and when; each step opens its block.
import { Text } from '@mantine/core';
import { When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Person } from '@/components/Thread';
import type { Job } from '@/lib/api/types';
import css from './jobs.module.css';

export function Timeline({ job }: { job: Job }) {
  if (job.timeline.length === 0) return <Text c="dimmed">Its first block is on its way to this page.</Text>;
  return (
    <ol className={css.timeline}>
      {job.timeline.map((entry) => (
        <li key={entry.proof.block}>
          <div>
            <strong>{entry.title}</strong>
            {entry.by && (
              <>
                {' '}
                by <Person principal={entry.by} />
              </>
            )}
          </div>
          <div className={css.meta}>
            <When ns={entry.at_ns} />
            <HowDoWeKnow compact proof={entry.proof} of={entry.title} />
          </div>
        </li>
      ))}
    </ol>
  );
}
