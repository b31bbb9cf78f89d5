package stream

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// assigned implements kgo.OnPartitionsAssigned.
func (k *kafkaSession) assigned(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
	names, err := topicNames(ctx, cl, parts)
	if err != nil { // blocks without the right name must not be: begin anew
		k.stop(err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for topic, numbers := range parts {
		if k.owned[topic] == nil {
			k.owned[topic] = map[int32]*partition{}
		}
		for _, n := range numbers {
			source := fmt.Sprintf("%s/%d", topic, n)
			k.owned[topic][n] = &partition{topic: topic, number: n, source: source, name: fmt.Sprintf("kafka:%s/%d", names[topic], n), block: -1, next: -1}
		}
	}
	k.count(func(c *Counts) { c.Rebalances++ })
}

// topicNames names topics so that another topic of that name, before, after or in another cluster, is another.
func topicNames(ctx context.Context, cl *kgo.Client, parts map[string][]int32) (map[string]string, error) {
	req := kmsg.NewPtrMetadataRequest()
	for topic := range parts {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		req.Topics = append(req.Topics, t)
	}
	if len(req.Topics) == 0 {
		return nil, nil
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("asking what topics are called: %w", err)
	}
	names := map[string]string{}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil || t.Topic == nil {
			return nil, fmt.Errorf("asking what topics are called: %w", errors.Join(err, errors.New("one has no name")))
		}
		names[*t.Topic] = *t.Topic + "@" + hex.EncodeToString(t.TopicID[:])
		if t.TopicID == [16]byte{} && resp.ClusterID != nil { // brokers before 2.8
			names[*t.Topic] = *t.Topic + "@" + *resp.ClusterID
		}
	}
	return names, nil
}

// revoked implements kgo.OnPartitionsRevoked: nothing is in flight while it is called.
func (k *kafkaSession) revoked(ctx context.Context, cl *kgo.Client, parts map[string][]int32) {
	ctx, stop := context.WithTimeout(ctx, leaveTime)
	defer stop()
	k.failed(cl.CommitMarkedOffsets(ctx))
	k.lost(ctx, cl, parts)
}

// lost implements kgo.OnPartitionsLost.
func (k *kafkaSession) lost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for topic, numbers := range parts {
		for _, n := range numbers {
			if p := k.owned[topic][n]; p != nil {
				k.left = append(k.left, p)
				delete(k.owned[topic], n)
			}
		}
	}
}

// begin implements kgo.AdjustFetchOffsetsFn: whatever was committed, the beginning of its block is where it begins.
func (k *kafkaSession) begin(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var ends map[string]map[int32]int64
	for topic, parts := range offsets {
		for n, o := range parts {
			at := o.EpochOffset().Offset
			k.mu.Lock()
			p := k.owned[topic][n]
			if p == nil {
				p = &partition{} // it was taken away again
			}
			p.next = at
			k.mu.Unlock()
			if at < 0 { // no place is kept
				if k.cfg.From != "newest" {
					continue
				}
				if ends == nil {
					var err error
					if ends, err = k.ends(ctx, offsets); err != nil {
						return nil, err
					}
				}
				at = ends[topic][n]
				k.mu.Lock()
				p.start = at - at%blockSize
				k.mu.Unlock()
			}
			if down := at - at%blockSize; down != o.EpochOffset().Offset {
				parts[n] = kgo.NewOffset().At(down)
			}
		}
	}
	return offsets, nil
}

// ends asks where partitions end.
func (k *kafkaSession) ends(ctx context.Context, of map[string]map[int32]kgo.Offset) (map[string]map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = 1
	for topic, parts := range of {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for n := range parts {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = n, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	ends := map[string]map[int32]int64{}
	for _, shard := range k.cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, fmt.Errorf("asking where partitions end: %w", shard.Err)
		}
		resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if !ok {
			return nil, errors.New("asking where partitions end: another answer came")
		}
		for _, t := range resp.Topics {
			if ends[t.Topic] == nil {
				ends[t.Topic] = map[int32]int64{}
			}
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("asking where %s/%d ends: %w", t.Topic, p.Partition, err)
				}
				ends[t.Topic][p.Partition] = p.Offset
			}
		}
	}
	return ends, nil
}
