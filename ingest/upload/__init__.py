"""Upload to the platform for online monitoring of key energy-using units (重点用能单位能耗在线监测系统), by profile.

No real platform was reachable. What is known comes from public code of uploaders, mostly two or more of them; what
rests on one source is stated in the profiles. Provinces differ: everything that may differ stands in a profile.

============= ==============================================================================
`codes`       data codes: process, unit, equipment, energy variety, use
`profile`     what a platform wants: paths, success, encryption, fields
`sm4`         field encryption
`outbox`      what is to be sent, what was, what came of it; nothing is taken for sent
`client`      register, version check, dictionaries, configuration, data
`figures`     completeness and consistency, before anything is sent
============= ==============================================================================
"""
