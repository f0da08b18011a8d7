// SPDX-License-Identifier: Apache-2.0

// Package controllers reconciles TarsBackends. It is the only package that
// talks to the API server: what should exist is decided in desired, what the
// status says in conditions, and what the Envoys answer in canary. Start
// reading at Reconcile in tarsbackend_controller.go.
//
//	        Secret, CA, CRDs, Gateways, rivals          desired.Build
//	get -> resolve --------------------------> build ------------------+
//	          |  something refused: stop traffic                       v
//	          |  something missing: wait      apply (HTTPRoute last, old hash)
//	          |                                                        v
//	          |                                                      prune
//	          |                                                        v
//	          |       askEnvoys <- commit (HTTPRoute's new hash) <- observe
//	          v           v
//	      conditions.Compute -> one status write, if anything changed
//
// A phase says whether the next one may follow. Waiting is no error: whatever
// is missing is watched, and its event wakes us. An error is retried with
// growing pauses. There is no fixed delay anywhere.
//
// # What a finding means for traffic
//
//	finding                            children                  traffic
//	EndpointNotAllowed                 HTTPRoute, then derived   stops
//	                                   Secret deleted
//	Conflicted, NotEnvoyGateway        the same                  stops
//	(of every parent)
//	NotEnvoyGateway, GatewayNotFound,  applied without that      goes on at the
//	GatewayClassNotFound (of some)     parent                    other parents
//	GatewayNotFound,                   stay as they are; a new   goes on where
//	GatewayClassNotFound (of all)      key is still written      a Gateway is
//	SecretNotFound                     derived Secret deleted;   stops: 500, which
//	                                   the rest stays            ext_proc words
//	SecretKeyNotFound, InvalidSecret,  stay as they are          goes on with the
//	PlaceholderKey                                               last good key
//	CACertificateNotFound              stay as they are; a new   stops: 500, which
//	                                   key is still written      ext_proc words
//	InvalidCACertificate               the same                  goes on, trusting
//	                                                             the old CA
//	EnvoyGatewayNotInstalled, TooOld   the same                  as Envoy Gateway has it
//	NameConflict                       nothing is applied        goes on as it was
//
// # Caches
//
// The manager's cache holds what is not ours, of Secrets and ConfigMaps only
// metadata without annotations; their values are read from the API server
// when needed. Our children have a cache of their own, selected by label. What
// a cache does not have is asked of the API server before it is taken for
// absent, and an answer to our own write counts until the cache has seen it.
package controllers
