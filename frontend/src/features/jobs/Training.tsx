// How training goes or went: its phases, the loss curve, the log.
import { Progress, Text } from '@mantine/core';
import { useMemo } from 'react';
import { LossCurve, type Epoch } from '@/components/charts/LossCurve';
import { Section } from '@/components/layout';
import { isMoving } from '@/lib/api/jobs';
import type { Job, TrainingEvent } from '@/lib/api/types';
import { formatAbsolute, formatNumber, words } from '@/lib/format';
import css from './jobs.module.css';
import type { LiveEvents } from './useJobEvents';

const PHASES = ['load', 'train', 'evaluate', 'attribute', 'export'];
const LOG_LINES = 300;
const LINES: Record<LiveEvents['line'], string> = { live: 'live', lost: 'the line was lost; connecting again', still: '' };

export function Training({ job, live }: { job: Job; live: LiveEvents }) {
  const epochs = useMemo(() => lastRun(live.events), [live.events]);
  const coalition = last(live.events, 'coalition');
  const phase = last(live.events, 'phase')?.phase ?? null;
  if (live.events.length === 0) {
    if (!isMoving(job.state)) return null;
    return (
      <Section title="Training" note={LINES[live.line]}>
        <Text c="dimmed">{job.state === 'running' || job.state === 'claimed' ? 'The worker has not said anything yet.' : 'It has not begun. What the worker reports will appear here as it happens.'}</Text>
      </Section>
    );
  }
  return (
    <Section title="Training" note={isMoving(job.state) ? LINES[live.line] : 'as it was'}>
      <ol className={css.phases} aria-label="Phases">
        {PHASES.map((name) => (
          <li key={name} data-here={name === phase && job.state === 'running'}>
            {words(name)}
          </li>
        ))}
      </ol>
      {epochs.length > 1 && <LossCurve epochs={epochs} />}
      {coalition && (
        <div>
          <Text size="sm" mt="md">
            Valuing the contributions: {coalition.done} of {coalition.total} trainings
          </Text>
          <Progress size="sm" value={(100 * coalition.done) / Math.max(1, coalition.total)} aria-label="Trainings for the attribution" />
        </div>
      )}
      <Text size="sm" fw={500} mt="md" mb={4} id="training-log">
        Log
      </Text>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard */}
      <pre className={css.log} aria-labelledby="training-log" tabIndex={0}>
        {live.events.slice(-LOG_LINES).map(logLine).join('\n')}
      </pre>
    </Section>
  );
}

function last<K extends TrainingEvent['kind']>(events: TrainingEvent[], kind: K): Extract<TrainingEvent, { kind: K }> | undefined {
  for (let i = events.length - 1; i >= 0; i -= 1) {
    const event = events[i];
    if (event?.kind === kind) return event as Extract<TrainingEvent, { kind: K }>;
  }
  return undefined;
}

/** A worker that was restarted trains anew: the curve shows the last beginning only. */
function lastRun(events: TrainingEvent[]): Epoch[] {
  const epochs: Epoch[] = [];
  for (const event of events) {
    if (event.kind !== 'epoch') continue;
    if (epochs.length > 0 && event.epoch <= (epochs[epochs.length - 1]?.epoch ?? 0)) epochs.length = 0;
    epochs.push(event);
  }
  return epochs;
}

function logLine(event: TrainingEvent): string {
  const at = formatAbsolute(event.at_ns).replace(/^.*, /, '');
  if (event.kind === 'log') return `${at}  ${event.text}`;
  if (event.kind === 'phase') return `${at}  ${words(event.phase)}: ${event.done} of ${event.total}`;
  if (event.kind === 'coalition') return `${at}  trained ${event.done} of ${event.total} groups`;
  return `${at}  epoch ${event.epoch} of ${event.epochs}: loss ${formatNumber(event.train_loss)}, held out ${formatNumber(event.validation_loss)}`;
}
