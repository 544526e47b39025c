// A dataset. First what one may do with it, in a sentence; then the card, the columns, a made-up sample, versions, history, jobs.
import { Button, Tabs } from '@mantine/core';
import { Link, useParams } from 'react-router';
import { Amount, Fact, Facts, State, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { JobsTable } from '@/components/JobsTable';
import { Columns, PageHead, Section } from '@/components/layout';
import { Empty, Shown } from '@/components/states';
import { DatasetName, Person } from '@/components/Thread';
import { useDataset } from '@/lib/api/datasets';
import { useJobs } from '@/lib/api/jobs';
import type { Dataset } from '@/lib/api/types';
import { formatBytes, formatUnits } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { datasetThread } from '@/lib/thread';
import { ColumnsTable, MockTable } from './Contents';
import { History, Policies, Versions } from './Records';
import { OwnerPanel } from './OwnerPanel';
import { Simulator } from './Simulator';

export function DatasetPage() {
  const id = Number(useParams().id);
  const query = useDataset(id);
  return (
    <Shown query={query} what="dataset">
      {(dataset) => <OneDataset dataset={dataset} />}
    </Shown>
  );
}

function OneDataset({ dataset }: { dataset: Dataset }) {
  const mine = usePrincipal() === dataset.owner;
  return (
    <>
      <PageHead
        title={dataset.title}
        state={<State of={dataset.state} />}
        lead={
          <>
            {dataset.state === 'withdrawn' ? 'Its owner has withdrawn it: no new job can use it. ' : (dataset.policy?.sentence ?? 'Its owner has set no policy, so nothing is allowed.')} Dataset {dataset.id}, &ldquo;
            {datasetThread(dataset.id).name}&rdquo;, of <Person principal={dataset.owner} />.
          </>
        }
        actions={
          <>
            {mine && dataset.state === 'active' && <Button component={Link} to={`/datasets/${dataset.id}/policy`}>{dataset.policy ? 'Change the policy' : 'Set a policy'}</Button>}
            {!mine && dataset.state === 'active' && dataset.policy && dataset.policy.decision !== 'Deny' && <Button component={Link} to={`/jobs/new?datasets=${dataset.id}`}>Propose a job with it</Button>}
            <HowDoWeKnow proof={dataset.proof} of="this dataset" />
          </>
        }
      />
      <Columns main={<Main dataset={dataset} />} side={<Side dataset={dataset} mine={mine} />} />
    </>
  );
}

function Main({ dataset }: { dataset: Dataset }) {
  const { card } = dataset;
  return (
    <>
      <Section title="What it is">
        {card ? (
          <>
            {card.description && <p style={{ marginTop: 0, whiteSpace: 'pre-line', maxWidth: '72ch' }}>{card.description}</p>}
            <Facts>
              {card.task && <Fact name="Task">{card.task}</Fact>}
              {card.target && <Fact name="Column to predict">{card.target}</Fact>}
              {card.collected && <Fact name="Collected">{card.collected}</Fact>}
              {card.license && <Fact name="Licence">{card.license}</Fact>}
              {card.contact && <Fact name="Contact">{card.contact}</Fact>}
            </Facts>
          </>
        ) : (
          <Empty title="Its owner has not uploaded a description yet" />
        )}
      </Section>
      <Section title="What is in it" note="Statistics and sample were made in the owner's browser; no row of the data is shown.">
        <Tabs defaultValue="columns" keepMounted={false}>
          <Tabs.List>
            <Tabs.Tab value="columns">Columns</Tabs.Tab>
            <Tabs.Tab value="sample">Made-up sample</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="columns" pt="sm">
            <ColumnsTable profile={dataset.profile} schema={dataset.schema} />
          </Tabs.Panel>
          <Tabs.Panel value="sample" pt="sm">
            <MockTable mock={dataset.mock} />
          </Tabs.Panel>
        </Tabs>
      </Section>
      <JobsThatUsedIt dataset={dataset} />
      <Section title="History">
        <History entries={dataset.history} />
      </Section>
      <Section title="Versions">
        <Versions dataset={dataset} />
      </Section>
    </>
  );
}

function JobsThatUsedIt({ dataset }: { dataset: Dataset }) {
  const query = useJobs({ dataset_id: dataset.id, page_size: 20 });
  return (
    <Section title="Jobs that name it" note={formatUnits(dataset.uses, 'use')}>
      <Shown query={query} what="jobs">
        {(data) => (data.count ? <JobsTable jobs={data.results} label="Jobs that name this dataset" /> : <Empty title="No job has named it yet" />)}
      </Shown>
    </Section>
  );
}

function Side({ dataset, mine }: { dataset: Dataset; mine: boolean }) {
  return (
    <>
      {mine && <OwnerPanel dataset={dataset} />}
      <Section title="At a glance">
        <Facts>
          <Fact name="Thread">
            <DatasetName id={dataset.id} plain />
          </Fact>
          <Fact name="Rows">{formatUnits(dataset.row_count, 'row')}</Fact>
          <Fact name="Encrypted size">{formatBytes(dataset.size_bytes)}</Fact>
          <Fact name="Version">{dataset.version}</Fact>
          {dataset.policy && (
            <Fact name="Price of a job">
              <Amount e8s={dataset.policy.price_e8s} />
            </Fact>
          )}
          <Fact name="Registered">
            <When ns={dataset.registered_at_ns} />
          </Fact>
        </Facts>
      </Section>
      <Section title="Policy" note={dataset.policy && <HowDoWeKnow compact proof={dataset.policy.proof} of="this policy" />}>
        <Policies dataset={dataset} />
      </Section>
      <Section title="What would it say?">
        <Simulator dataset={dataset} />
      </Section>
    </>
  );
}
