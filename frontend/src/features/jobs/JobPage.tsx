// A job: where it stands first, on a timeline; then approvals, live training, what came out and whose data was worth what, costs.
import { Alert, Button, Text } from '@mantine/core';
import { Link, useParams } from 'react-router';
import { AttributionBars } from '@/components/charts/AttributionBars';
import { OwnershipBar } from '@/components/charts/OwnershipBar';
import { Fact, Facts, Hash, State, TimeLeft, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Columns, PageHead, Section } from '@/components/layout';
import { Shown } from '@/components/states';
import { Person } from '@/components/Thread';
import { useJob } from '@/lib/api/jobs';
import type { Job } from '@/lib/api/types';
import { formatPpm, words } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { Approvals } from './Approvals';
import { Artifacts, Costs, What } from './Details';
import { JobActions } from './JobActions';
import { Timeline } from './Timeline';
import { Training } from './Training';
import { useJobEvents } from './useJobEvents';

export function JobPage() {
  const id = Number(useParams().id);
  const query = useJob(id);
  return (
    <Shown query={query} what="job">
      {(job) => <OneJob job={job} />}
    </Shown>
  );
}

function OneJob({ job }: { job: Job }) {
  const live = useJobEvents(job);
  const me = usePrincipal();
  return (
    <>
      <PageHead
        title={job.title}
        state={<State of={job.state} />}
        lead={
          <>
            <Person principal={job.builder} /> asks to train {words(job.recipe).toLowerCase()} for &ldquo;{job.purpose}&rdquo;. <Stands job={job} />
          </>
        }
        actions={
          <>
            <JobActions job={job} me={me} />
            <HowDoWeKnow proof={job.proof} of="this job" />
          </>
        }
      />
      {job.reason && (job.state === 'denied' || job.state === 'failed') && (
        <Alert color="red" variant="light" title={job.state === 'denied' ? 'It cannot start' : 'It failed'} mb="md">
          {job.reason}. What was in escrow is its builder&apos;s again.
        </Alert>
      )}
      <Columns
        main={
          <>
            {job.result && <Result job={job} />}
            <Training job={job} live={live} />
            <Section title="Approvals" note="Every dataset must agree before the job can start.">
              <Approvals job={job} me={me} />
            </Section>
            <Section title="Timeline">
              <Timeline job={job} />
            </Section>
            {job.result && <Artifacts job={job} />}
          </>
        }
        side={
          <>
            <What job={job} />
            <Costs job={job} />
          </>
        }
      />
    </>
  );
}

/** One sentence on where the job stands. */
function Stands({ job }: { job: Job }) {
  const waiting = job.approvals.filter((approval) => approval.state === 'pending').length;
  switch (job.state) {
    case 'proposed':
      return (
        <>
          It waits for {waiting === 1 ? 'one owner' : `${waiting} owners`}: <TimeLeft until={job.approve_by_ns} over="the time to answer is over" />.
        </>
      );
    case 'approved':
      return <>Every owner has agreed; it waits for its builder to pay the budget into escrow.</>;
    case 'funded':
      return <>It is paid for and waits for a worker: <TimeLeft until={job.finish_by_ns} />.</>;
    case 'claimed':
      return <>A worker has claimed it and is fetching the data.</>;
    case 'running':
      return <>It is being trained: <TimeLeft until={job.finish_by_ns} />.</>;
    case 'submitted':
      return <>The result is on the chain and is being settled.</>;
    case 'settled':
      return <>It is done, <When ns={job.updated_at_ns} />.</>;
    default:
      return <>It ended <When ns={job.updated_at_ns} />.</>;
  }
}

function Result({ job }: { job: Job }) {
  if (!job.result) return null;
  const { result } = job;
  return (
    <>
      <Section title="What came out" note={job.model && <Button component={Link} to={`/models/${job.model}`} size="compact-sm" variant="light">See the model</Button>}>
        <Facts>
          {result.metrics.map((metric) => (
            <Fact key={metric.name} name={words(metric.name)}>
              {formatPpm(metric.value_ppm)}
            </Fact>
          ))}
          <Fact name="Transcript">
            <Hash value={result.transcript_hash} label="transcript hash" />
          </Fact>
        </Facts>
      </Section>
      <Section title="Whose data was worth what" note={`Shapley values, in ${words(result.utility).toLowerCase()}; the line is the interval.`}>
        <AttributionBars rows={result.attribution} utility={words(result.utility).toLowerCase()} />
      </Section>
      {job.shares.length > 0 && (
        <Section title="Who shares in it">
          <OwnershipBar label="Shares" parts={job.shares.map((share) => ({ owner: share.owner, bps: share.share_bps, note: share.role }))} />
        </Section>
      )}
      {job.state === 'settled' && !job.model && (
        <Section title="The model has no owner yet">
          <Text>Anybody who shares in this job can found the cooperative that will own it, with these shares.</Text>
        </Section>
      )}
    </>
  );
}
